"""What a small classifier sees: labels against inputs, and what augmentation leaves."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, SubsetRandomSampler, TensorDataset
from torchvision import transforms as T

from trainingdoctor import Unavailable
from trainingdoctor.measure.augmentation_strength import AugmentationStrength, augmentation_strength
from trainingdoctor.measure.label_relation import LabelRelation, label_relation
from trainingdoctor.measure.pixel_noise import pixel_noise
from trainingdoctor.measure.probe import probe_features, scored
from trainingdoctor.measure.samples import Samples, comparable, plain_eval, plain_train, smoothness

CROP = [T.RandomCrop(16, padding=2), T.RandomHorizontalFlip(0.0), T.ToTensor()]


def loader(data: Any, **options: Any) -> Any:
    return DataLoader(data, batch_size=64, **options)


def relation(train: Any, evaluation: Any) -> LabelRelation:
    a, b = plain_train(loader(train)), plain_eval(loader(evaluation))
    return label_relation(a, b, probe_features(a, b))


def strength(train: Any, evaluation: Any, augment: Any = None) -> AugmentationStrength:
    a, b = loader(train), loader(evaluation)
    x, v = plain_train(a), plain_eval(b)
    return augmentation_strength(a, b, x, v, probe_features(x, v), augment)


def test_samples_are_read_without_augmentation(waves: Any) -> None:
    data = waves(100, T.Compose(CROP))
    s: Samples = plain_train(loader(data))
    assert s.inputs.shape == (100, 3, 32, 32)
    assert (s.raw, s.varies, s.images) == (True, False, True)
    assert [data.targets[i] for i in s.indices] == s.labels.tolist()
    assert s.smoothness is not None
    assert s.smoothness > 0.5


def test_only_samples_that_the_sampler_gives_are_read(waves: Any) -> None:
    s = plain_train(loader(waves(100), sampler=SubsetRandomSampler(range(40, 70))))
    assert sorted(s.indices) == list(range(40, 70))


def test_copies_have_equal_keys(waves: Any) -> None:
    data = waves(60)
    data.data[1] = data.data[0]
    s = plain_train(loader(data))
    assert len(set(s.keys)) == 59


class Restless(Dataset):
    """Random in __getitem__, where no transform could be left out."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, i: int) -> Any:
        return torch.rand(3, 16, 16), i % 2


def test_what_is_random_in_getitem_is_noticed() -> None:
    assert plain_train(loader(Restless())).varies


@pytest.mark.parametrize(
    "data",
    [
        TensorDataset(torch.rand(40, 3, 16, 16), torch.rand(40)),
        TensorDataset(torch.randint(0, 100, (40, 12)), torch.zeros(40, dtype=torch.long)),
        TensorDataset(torch.rand(40, 3, 16, 16)),
        TensorDataset(torch.rand(5, 3, 16, 16), torch.zeros(5, dtype=torch.long)),
    ],
    ids=["regression", "tokens", "no targets", "few"],
)
def test_samples_that_a_classifier_cannot_take_are_unavailable(data: Any) -> None:
    with pytest.raises(Unavailable):
        plain_train(loader(data))


def test_comparable_undoes_normalization_and_nan() -> None:
    images = torch.rand(50, 3, 32, 32)
    shifted = (images - torch.tensor([0.4, 0.5, 0.6])[:, None, None]) / torch.tensor([0.1, 0.2, 0.3])[:, None, None]
    assert torch.allclose(comparable(images.unbind()), comparable(shifted.unbind()), atol=1e-2)
    images[0, 0, 0, 0] = float("nan")
    assert torch.isfinite(comparable(images.unbind())).all()


def test_smoothness() -> None:
    ramp = torch.arange(32.0).expand(3, 32, 32)
    assert smoothness(ramp) > 0.8
    assert abs(smoothness(torch.randn(3, 64, 64))) < 0.1
    assert smoothness(torch.ones(3, 8, 8)) == 1.0


def test_scores_do_not_depend_on_class_frequencies() -> None:
    labels = torch.tensor([0] * 900 + [1] * 100)
    always = scored(torch.zeros(1000, dtype=torch.long), labels, torch.tensor([0, 1]))
    assert always.accuracy == pytest.approx(0.5)
    assert always.skill == pytest.approx(0.0)
    right = scored(labels, labels, torch.tensor([0, 1]))
    assert right.skill == pytest.approx(1.0)


def test_labels_that_belong_to_inputs(waves: Any) -> None:
    r = relation(waves(800, T.Compose(CROP)), waves(300, T.ToTensor(), seed=1))
    assert min(r.train.z, r.between.z, r.evaluation.z) > 10
    assert r.moved == 0
    assert r.comparable


def test_shuffled_labels(waves: Any) -> None:
    train = waves(800)
    train.targets = np.random.default_rng(1).permutation(train.targets).tolist()
    r = relation(train, waves(600, seed=1))
    assert abs(r.train.z) < 3
    assert r.evaluation.z > 8


def test_the_share_of_wrong_labels_is_estimated(waves: Any) -> None:
    train = waves(1600)
    rng = np.random.default_rng(2)
    wrong = rng.random(1600) < 0.4
    train.targets = np.where(wrong, rng.integers(0, 4, 1600), train.targets).tolist()
    r = relation(train, waves(800, seed=1))
    assert 1 - r.train.skill / r.between.skill == pytest.approx(0.4, abs=0.12)


def test_renamed_classes_are_found(waves: Any) -> None:
    evaluation = waves(600, seed=1)
    evaluation.targets = [(t + 1) % 4 for t in evaluation.targets]
    r = relation(waves(800), evaluation)
    assert r.moved == 4
    assert r.relabelled.skill > 0.8
    assert r.between.skill < 0.2


def test_evaluation_samples_that_were_fitted_are_not_scored(waves: Any) -> None:
    data = waves(20)
    repeated = TensorDataset(
        torch.from_numpy(data.data).permute(0, 3, 1, 2).repeat(30, 1, 1, 1), torch.tensor(data.targets * 30)
    )
    with pytest.raises(Unavailable, match="differ from each other"):
        relation(repeated, repeated)


def test_vectors_are_related_too() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(900) % 3
    x = torch.randn(900, 10, generator=generator)
    x[:, 0] += 2.0 * labels
    r = relation(TensorDataset(x[:500], labels[:500]), TensorDataset(x[500:], labels[500:]))
    assert min(r.train.z, r.between.z, r.evaluation.z) > 5


def test_mild_augmentation_keeps_what_tells_the_classes(waves: Any) -> None:
    s = strength(waves(400, T.Compose(CROP)), waves(300, T.ToTensor(), seed=1))
    assert s.kept > 0.8


def test_what_shows_nothing_keeps_nothing(waves: Any) -> None:
    s = strength(waves(400, T.Compose([T.ToTensor(), torch.rand_like])), waves(300, T.ToTensor(), seed=1))
    assert s.kept < 0.25


def test_augmentation_on_the_device_counts(waves: Any) -> None:
    s = strength(waves(400, T.ToTensor()), waves(300, T.ToTensor(), seed=1), torch.rand_like)
    assert s.kept < 0.25


def test_mixing_on_the_device_is_left_out(waves: Any) -> None:
    def mix(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.rand_like(x), y

    s = strength(waves(400, T.ToTensor()), waves(300, T.ToTensor(), seed=1), mix)
    assert s.kept == pytest.approx(1.0, abs=0.05)


def test_noise_shows_against_evaluation_and_stored_images(waves: Any) -> None:
    from trainingdoctor.measure.drawing import draw_batches

    def noisy(x: torch.Tensor) -> torch.Tensor:
        return x + 0.5 * torch.randn_like(x)

    train = loader(waves(300, T.Compose([T.ToTensor(), noisy])))
    evaluation = draw_batches(loader(waves(300, T.ToTensor(), seed=1)), "val_loader", 8, 300)
    n = pixel_noise(draw_batches(train, "train_loader", 8, 300), evaluation, plain_train(train))
    assert n.ratio < 0.3
    assert n.noise_to_signal > 1
    assert n.stored == pytest.approx(n.evaluation, abs=0.05)


def test_an_evaluation_set_of_another_class_is_not_related() -> None:
    samples = Samples(
        torch.rand(400, 8), torch.arange(400) % 9, tuple(range(400)), tuple(range(400)), True, False, None
    )
    other = replace(samples, labels=torch.full((400,), 9))
    with pytest.raises(Unavailable, match="classes"):
        label_relation(samples, other, probe_features(samples, samples))
