"""The measurement on small real models; then the checks on whole trainings, measured through the runner."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor import Training, Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_masking_checks import loss_mask, nothing_counted, padding_counted
from trainingdoctor_masking_checks.evidence import LossMask

PAD, TOKENS = 0, 12


def texts(count: int = 6, longest: int = 10) -> Tensor:
    """Texts of 3, 4, 5, ... tokens of 1 to 11, with zeros behind."""
    ids = torch.randint(1, TOKENS, (count, longest + 1), generator=torch.Generator().manual_seed(0))
    return ids.masked_fill(torch.arange(longest + 1) >= 3 + torch.arange(count)[:, None], PAD)


class NextToken(nn.Module):
    """Classes last, as text models give them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 8)
        self.head = nn.Linear(8, TOKENS)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.head(self.embedding(input_ids))


class ClassesSecond(NextToken):
    def forward(self, input_ids: Tensor) -> Tensor:
        return super().forward(input_ids).mT


class Flat(NextToken):
    def forward(self, input_ids: Tensor) -> Tensor:
        return super().forward(input_ids).flatten(0, 1)


@dataclass
class Output:
    """An output such as transformers' models have."""

    logits: Tensor


class Wrapped(NextToken):
    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        return Output(super().forward(input_ids))


def flattened(ignore: int) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda logits, y: functional.cross_entropy(logits.reshape(-1, TOKENS), y.flatten(), ignore_index=ignore)


def weighed(logits: Tensor, y: Tensor) -> Tensor:
    """A mask without any ignore_index."""
    each = functional.cross_entropy(logits.mT, y, reduction="none")
    return (each * (y != PAD)).sum() / (y != PAD).sum()


def measured(model: nn.Module, criterion: Any, ids: Tensor | None = None, **settings: Any) -> LossMask:
    ids = texts() if ids is None else ids
    found = loss_mask(model, (Batch(ids[:, :-1], ids[:, 1:]),), criterion, **settings)
    assert isinstance(found, LossMask)
    return found


# Six texts of 3 to 8 tokens in ten positions: 27 tokens have a next one. 27 inputs are padding, and 21 of them are told
# for sure: the first one behind a text could be its end.
REAL, PADDING = 27, 21


@pytest.mark.parametrize(
    ("model", "criterion"),
    [
        (NextToken(), flattened(PAD)),
        (NextToken(), weighed),
        (ClassesSecond(), nn.CrossEntropyLoss(ignore_index=PAD)),
        (ClassesSecond(), nn.CrossEntropyLoss(ignore_index=PAD, reduction="sum")),
        (Flat(), lambda logits, y: functional.cross_entropy(logits, y.flatten(), ignore_index=PAD)),
    ],
)
def test_masks_of_every_kind_are_seen(model: nn.Module, criterion: Any) -> None:
    assert measured(model, criterion) == LossMask(6, 60, REAL, 0, PADDING, 0)


@pytest.mark.parametrize("model", [NextToken(), ClassesSecond()])
def test_counted_padding_is_seen(model: nn.Module) -> None:
    criterion = nn.CrossEntropyLoss() if isinstance(model, ClassesSecond) else flattened(-100)
    assert measured(model, criterion) == LossMask(6, 60, 60, 0, PADDING, PADDING)


def test_dict_inputs_and_outputs() -> None:
    ids = texts()
    inputs = {"input_ids": ids[:, :-1], "attention_mask": (ids[:, :-1] != PAD).long()}
    batch = Batch(inputs, ids[:, 1:].masked_fill(ids[:, 1:] == PAD, -100))

    def criterion(output: Output, y: Tensor) -> Tensor:
        return functional.cross_entropy(output.logits.mT, y)

    assert loss_mask(Wrapped(), (batch,), criterion) == LossMask(6, 60, REAL, 0, PADDING, 0)


def test_only_some_samples_are_looked_at() -> None:
    ids = texts()
    batches = tuple(Batch(ids[i : i + 2, :-1], ids[i : i + 2, 1:]) for i in (0, 2, 4))
    assert loss_mask(NextToken(), batches, flattened(PAD), samples=3).samples == 3


def test_texts_without_targets_are_counted() -> None:
    ids = texts()
    ids[:2, 1:] = PAD
    assert measured(NextToken(), weighed, ids).blind == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda ids: ids.masked_fill(ids == PAD, 1).index_fill(1, torch.arange(5), 1),
            "it occurs in the texts as well",
        ),
        (lambda ids: ids[:1].expand(6, -1), "all texts end at the same place"),
        (lambda ids: torch.arange(66).reshape(6, 11) % TOKENS, "no token repeats"),
    ],
)
def test_repeated_tokens_are_not_always_padding(change: Callable[[Tensor], Tensor], why: str) -> None:
    assert measured(NextToken(), flattened(-100), change(texts())).padding == 0, why


def test_one_of_several_inputs_cannot_be_told_to_be_the_text() -> None:
    ids = texts()[:, :-1]
    batch = Batch({"source": ids, "input": ids}, ids)
    model = ClassesSecond()
    model.forward = lambda source, input: ClassesSecond.forward(model, source)  # type: ignore[method-assign]
    assert loss_mask(model, (batch,), nn.CrossEntropyLoss()).padding is None


def test_masks_of_images() -> None:
    x, y = torch.randn(4, 3, 6, 6), torch.zeros(4, 6, 6, dtype=torch.long)
    y[:, :2] = 255
    y[0] = 255
    found = loss_mask(nn.Conv2d(3, 5, 1), (Batch(x, y),), nn.CrossEntropyLoss(ignore_index=255))
    assert found == LossMask(4, 4 * 36, 3 * 24, 1, None, 0)


@pytest.mark.parametrize(
    ("model", "criterion", "targets", "why"),
    [
        (ClassesSecond(), nn.CrossEntropyLoss(), torch.zeros(6), "not class indices of positions"),
        (ClassesSecond(), nn.MSELoss(), torch.zeros(6, TOKENS, 10), "not class indices of positions"),
        (NextToken(), lambda logits, y: logits.detach().sum(), texts()[:, 1:], "no gradient"),
        (NextToken(), lambda logits, y: logits.sum(), texts(longest=TOKENS)[:, 1:], "which dimension"),
    ],
)
def test_what_it_does_not_apply_to(model: nn.Module, criterion: Any, targets: Tensor, why: str) -> None:
    ids = texts(longest=TOKENS if targets.shape[-1:] == (TOKENS,) else 10)[:, :-1]
    with pytest.raises(Unavailable, match=why):
        loss_mask(model, (Batch(ids, targets),), criterion)


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.1}, {"weight": torch.rand(5)}])
def test_the_gradient_of_nothing_is_zero_as_the_manual_says(settings: dict[str, Any]) -> None:
    logits = torch.randn(4, 5, requires_grad=True)
    loss = functional.cross_entropy(logits, torch.full((4,), -100), **settings)
    loss.backward()
    assert loss.isnan()
    assert logits.grad is not None
    assert not logits.grad.any()


def training(criterion: Any, ids: Tensor) -> Training:
    loader = DataLoader(TensorDataset(ids[:, :-1], ids[:, 1:]), batch_size=8)
    return Training(model=ClassesSecond(), train_loader=loader, criterion=criterion)


def test_whole_trainings() -> None:
    ids = texts(32, longest=60)
    # loss_mask behind the training: the runner finds it without the plug-in being installed, too.
    assert_healthy(padding_counted, training(nn.CrossEntropyLoss(ignore_index=PAD), ids), loss_mask)
    assert_unwell(padding_counted, training(nn.CrossEntropyLoss(), ids), loss_mask, severity="warning")
    assert_healthy(nothing_counted, training(nn.CrossEntropyLoss(), ids), loss_mask)
    nothing = training(nn.CrossEntropyLoss(ignore_index=PAD), ids.masked_fill(ids > 0, PAD))
    assert_unwell(nothing_counted, nothing, loss_mask, severity="critical")
