"""Whether the inputs hold what is to be predicted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, forward, mapped, tensors
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.prediction import loss_of, predicted, prediction

# Shorter sequences say too little.
LEAST_LENGTH = 8
# Targets as far ahead of the inputs are looked for.
FARTHEST = 3
# Share of targets that are the input so many positions ahead; masked language models replace a part of the inputs.
ALIKE = 0.95


@dataclass(frozen=True)
class SequenceUse:
    """A model that predicts its own inputs. ahead: by how many positions the target of an output is ahead of the input there.

    agreement: share of targets for which that holds.  later: how far outputs change when inputs after them do, relative to
    how far they change when all inputs do; exactly 0 in a causal model.  tokens: whether the inputs are token numbers.
    """

    ahead: int
    agreement: float
    later: float
    tokens: bool


@evidence(cost="probe")
def sequence_use(
    model: nn.Module, criterion: Callable[..., Any], train_batches: tuple[Batch, ...], *, samples: int = 8
) -> SequenceUse:
    """Compare targets with inputs, and outputs in eval mode with those of inputs that change from the middle on."""
    batch = train_batches[0].first(samples)
    sequence, ahead, agreement = _own_target(batch)
    set_mode(model, False)
    ahead += _moved_by_criterion(criterion, model, batch)
    cut = sequence.shape[1] // 2
    asked = _asked(batch.targets)[:, :cut]
    later, all_of_it = (_earlier_change(model, batch, sequence, start, asked) for start in (cut, 0))
    if all_of_it == 0:
        raise Unavailable("no output depends on the inputs")
    return SequenceUse(ahead, agreement, later / all_of_it, not sequence.is_floating_point())


def _earlier_change(model: nn.Module, batch: Batch, sequence: Tensor, start: int, asked: Tensor) -> float:
    """The largest change of the outputs that are asked for, when the inputs from `start` on are another sample's."""
    pair = (_by_position(predicted(model, b), sequence) for b in (batch, _replaced(batch, sequence, start)))
    first, second = (p[:, : asked.shape[1]][asked] for p in pair)
    return float((first - second).abs().max()) if len(first) else 0.0


def _own_target(batch: Batch) -> tuple[Tensor, int, float]:
    """The input that the targets are taken from, how far ahead of it they are, and the share that agrees."""
    target = batch.targets
    if not isinstance(target, Tensor) or not 2 <= target.ndim <= 3 or target.shape[1] < LEAST_LENGTH:
        raise Unavailable("the targets are no sequences")
    given = [t for t in tensors(batch.inputs) if t.shape == target.shape and t.dtype == target.dtype]
    # A model that computes its own loss gets the targets, too.
    given = [t for t in given if not torch.equal(t, target)] or given[:1]
    found = [(_agreement(t, target, ahead), -ahead, t) for t in given for ahead in range(FARTHEST + 1)]
    share, negative, sequence = max(found, key=lambda f: f[:2], default=(0.0, 0, target))
    if share < ALIKE:
        raise Unavailable("the targets are not the inputs some positions on")
    return sequence, -negative, share


def _asked(target: Tensor) -> Tensor:
    """Which positions count, (samples, positions): negative token numbers are left out by convention."""
    if target.is_floating_point():
        return torch.ones(target.shape[:2], dtype=torch.bool)
    return (target if target.ndim == 2 else target.amax(2)) >= 0


def _agreement(given: Tensor, target: Tensor, ahead: int) -> float:
    """Where neighbours are equal, as in padding, every distance fits: these do not count."""
    length = target.shape[1] - max(ahead, 1)
    fits = given[:, ahead : ahead + length] == target[:, :length]
    moving = given[:, :length] != given[:, 1 : length + 1]
    if target.ndim == 3:
        fits, moving = fits.all(2), moving.any(2)
    counted = moving & _asked(target)[:, :length]
    return float(fits[counted].float().mean()) if int(counted.sum()) >= LEAST_LENGTH else 0.0


def _replaced(batch: Batch, sequence: Tensor, start: int) -> Batch:
    """The batch with each sequence continued, from `start` on, by the next sample's."""
    mixed = torch.cat([sequence[:, :start], sequence.roll(1, 0)[:, start:]], 1)
    return Batch(mapped(batch.inputs, lambda t: mixed if t is sequence else t), batch.targets)


def _by_position(output: Tensor, sequence: Tensor) -> Tensor:
    """Outputs as (samples, positions, numbers). Raises Unavailable where the positions cannot be told."""
    count, length = sequence.shape[:2]
    if output.ndim == 2 and output.shape[0] == count * length:
        return output.reshape(count, length, -1)
    if output.ndim != 3 or output.shape[0] != count or (output.shape[1] == length) == (output.shape[2] == length):
        raise Unavailable("the outputs are not one for each position")
    return output if output.shape[1] == length else output.movedim(1, 2)


def _moved_by_criterion(criterion: Callable[..., Any], model: nn.Module, batch: Batch) -> int:
    """By how many positions the criterion itself moves targets against outputs, as losses of language models do."""
    target = batch.targets
    if target.is_floating_point():
        return 0
    middle = target.shape[1] // 2
    other = target.clone()
    other[:, middle] = target.roll(1, 0)[:, middle]
    raw = forward(model, batch)
    felt = [_by_position(_gradient(criterion, raw, Batch(batch.inputs, t)), target) for t in (target, other)]
    places = (felt[0] - felt[1]).abs().amax((0, 2)).nonzero().flatten().tolist()
    if len(places) != 1:
        raise Unavailable("the criterion does not hold each target against one output")
    return int(middle - places[0])


def _gradient(criterion: Callable[..., Any], raw: Any, batch: Batch) -> Tensor:
    """The loss's gradient in each output, as absolute numbers would not tell where a target is used."""
    leaf = prediction(raw).detach().requires_grad_()
    output = leaf if isinstance(raw, Tensor) else mapped(raw, lambda t: leaf if t.shape == leaf.shape else t)
    with torch.enable_grad():
        loss = loss_of(criterion, output, batch)
        if not loss.requires_grad:
            raise Unavailable("the criterion does not depend on the outputs")
        return torch.autograd.grad(loss.sum(), leaf)[0].detach().float().cpu()


@dataclass(frozen=True)
class TargetColumns:
    """Columns of a table that are the target, up to scale and offset. columns: their numbers.  of: all columns.  rows: looked at."""

    columns: tuple[int, ...]
    of: int
    rows: int


@evidence(cost="probe")
def target_columns(train_batches: tuple[Batch, ...], *, least: int = 200) -> TargetColumns:
    """Correlate each column of inputs (N, F) with targets (N,) or (N, 1)."""
    pairs = [(b.inputs, b.targets) for b in train_batches]
    if not all(isinstance(x, Tensor) and x.ndim == 2 and x.is_floating_point() for x, _ in pairs):
        raise Unavailable("the inputs are no table of numbers")
    if not all(isinstance(y, Tensor) and (y.ndim == 1 or y.shape[1:] == (1,)) for _, y in pairs):
        raise Unavailable("there is not one number for each row to predict")
    x, y = (torch.cat([p[i] for p in pairs]).double() for i in (0, 1))
    y = y.flatten()
    if len(x) < least or x.shape[1] < 2 or not bool(x.isfinite().all() and y.isfinite().all()):
        raise Unavailable(f"fewer than {least} finite rows, or a single column")
    centred, wanted = x - x.mean(0), y - y.mean()
    size = centred.norm(dim=0) * wanted.norm()
    correlation = (centred.T @ wanted).abs() / size.clamp(min=1e-12)
    same = (correlation > 1 - 1e-6) & (size > 0)
    return TargetColumns(tuple(same.nonzero().flatten().tolist()), x.shape[1], len(x))
