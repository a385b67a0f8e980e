"""Samples that a loop mixes within a batch."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.mixing import Mixing, mixed_share
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.loop_passes import targets_unmixed

torch.manual_seed(0)
IMAGES, TARGETS = torch.randn(16, 3, 8, 8), torch.arange(16) % 4
ORDER, OWN = torch.arange(16).roll(3), torch.eye(4)[TARGETS]


def mixup(share: float) -> Tensor:
    return (1 - share) * IMAGES + share * IMAGES[ORDER]


def cutmix() -> Tensor:
    pasted = IMAGES.clone()
    pasted[:, :, 2:6, 2:6] = IMAGES[ORDER][:, :, 2:6, 2:6]
    return pasted


@pytest.mark.parametrize(
    ("given", "share"),
    [
        (mixup(0.3), 0.3),
        (mixup(0.3).half(), 0.3),
        (cutmix(), 0.25),
        (IMAGES, None),
        (IMAGES + 0.1 * torch.randn_like(IMAGES), None),
        (IMAGES.flip(3), None),
        (IMAGES[ORDER], None),
        (IMAGES.masked_fill(torch.rand(8, 8) < 0.2, 0.0), None),
        (IMAGES[:, :1], None),
    ],
)
def test_how_much_of_another_sample(given: Tensor, share: float | None) -> None:
    assert mixed_share(given, IMAGES) == (None if share is None else pytest.approx(share, abs=5e-3))


@pytest.mark.parametrize(
    ("targets", "left"),
    [
        ((TARGETS,), 3),
        ((OWN,), 3),
        ((0.9 * OWN + 0.025,), 3),
        # Both losses, or soft targets that are mixed.
        ((0.8 * OWN + 0.2 * OWN[ORDER],), 0),
        ((TARGETS, TARGETS[ORDER]), 0),
        ((torch.rand(16, 4),), 0),
    ],
)
def test_targets_that_stay_their_own(targets: tuple[Tensor, ...], left: int) -> None:
    mixing = Mixing()
    for share in (0.2, 0.5, 0.7):
        known = TARGETS.clone()
        for target in targets:
            mixing.add(target, known, IMAGES, mixup(share))
    assert len(mixing.unmixed) == left


class Rows:
    """A criterion of one's own, for targets as rows."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return -(output.log_softmax(1) * target).sum() / len(output)


@pytest.mark.parametrize("mixes", [True, False])
def test_a_criterion_of_ones_own_is_followed_in_several_batches(mixes: bool) -> None:
    model, criterion = nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), Rows()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with observed(Recorder(stops=False)) as recorder:
        for step, (x, y) in enumerate(DataLoader(TensorDataset(IMAGES.repeat(5, 1, 1, 1), TARGETS.repeat(5)), 16)):
            share, rows = 0.1 + 0.1 * step, torch.eye(4)[y]
            mixed = (1 - share) * x + share * x[ORDER]
            wanted = (1 - share) * rows + share * rows[ORDER] if mixes else rows
            output = model(mixed)
            loss = criterion(output, wanted)
            loss.backward()
            optimizer.step()
    assert len(recorder.losses.mixing.unmixed) == (0 if mixes else 5)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(("right", "wrong"), [(False, 4), (True, 0)])
def test_targets_the_wrong_way_round(soft: bool, right: bool, wrong: int) -> None:
    mixing, output = Mixing(), torch.zeros(16, 4, requires_grad=True)
    for share in (0.2, 0.25, 0.7, 0.9, 0.45):
        known, own = TARGETS.clone(), 1 - share if right else share
        rows = own * OWN + (1 - own) * OWN[ORDER]
        for target in (rows,) if soft else (known, known[ORDER]):
            mixing.add(target, known, IMAGES, mixup(share))
        losses = [nn.functional.cross_entropy(output, t) for t in (known, known[ORDER])]
        mixing.weigh(own * losses[0] + (1 - own) * losses[1])
    # Half and half tells nothing.
    assert len(mixing.swapped) == wrong
    assert mixing.unmixed == ()


def test_a_loss_that_is_no_sum_of_two_tells_nothing() -> None:
    mixing, output = Mixing(), torch.zeros(16, 4, requires_grad=True)
    for share in (0.2, 0.3, 0.7):
        known = TARGETS.clone()
        mixing.add(known, known, IMAGES, mixup(share))
        mixing.weigh(nn.functional.cross_entropy(output, known))
    assert mixing.swapped == ()
    assert len(mixing.unmixed) == 3


def test_they_are_told() -> None:
    assert_unwell(targets_unmixed, LoopTrace(mixed_wrongly=(0.3, 0.8, 0.6)), severity="warning", mentions="30%")
    assert_healthy(targets_unmixed, LoopTrace(mixed_wrongly=(0.3, 0.8)))
