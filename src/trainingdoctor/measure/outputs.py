"""What the model gives back on real samples: its range, and what it depends on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, mapped, tensors
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.hooks import attached
from trainingdoctor.measure.prediction import predicted

# The factor of the last layer that shows whether predictions are bounded, and the share of them that is at the bound then.
AMPLIFIED = 1e4
GATHERED = 0.2


@dataclass(frozen=True)
class Outputs:
    """The prediction on a batch in train mode, and how it differs in eval mode.

    shape: with the batch first.  width: size of dimension 1 (the classes), None for one-dimensional predictions.
    across_samples: largest deviation between samples in train mode; 0 where eval mode, without dropout, has none at all.
    row_sum_error: largest |sum over dimension 1 - 1|.  log_sum_error: largest |logsumexp over dimension 1|.
    Differences are relative to the prediction's standard deviation over everything: repeat (two eval passes), mixing
    (a sample alone against the same in a batch, eval mode), input (against zeroed input).
    zero_share: share that is exactly 0.  amplified: the largest prediction with the last layer 10,000 times as large, of
    either sign, which tells values that are small from values that are bounded.  floor, ceiling: bounds at which predictions
    gather then, as those of a sigmoid do; None where there is none.  row_norm: length of the rows where all have the same
    one, else None.  rounding: relative, of the output's type.
    """

    shape: tuple[int, ...]
    width: int | None
    minimum: float
    maximum: float
    std: float
    row_sum_error: float
    log_sum_error: float
    across_samples: float
    repeat: float
    mixing: float
    input: float
    head_is_zero: bool
    finite: bool
    zero_share: float = 0.0
    amplified: float = 1.0
    row_norm: float | None = None
    floor: float | None = None
    ceiling: float | None = None
    rounding: float = 1.2e-7

    @property
    def are_probabilities(self) -> bool:
        """Whether every row is a distribution over at least two classes."""
        wide = self.width is not None and self.width >= 2
        return wide and self.minimum >= 0 and self.maximum <= 1 + 1e-4 and self.row_sum_error < 1e-3

    @property
    def are_log_probabilities(self) -> bool:
        """Whether every row is the logarithm of a distribution."""
        return self.width is not None and self.width >= 2 and self.maximum <= 1e-4 and self.log_sum_error < 1e-3

    @property
    def are_unit_range(self) -> bool:
        """Whether all values lie in 0..1, spread in it and cannot leave it, as after a sigmoid."""
        bounded = self.minimum >= 0 and self.maximum <= 1 and self.amplified <= 1 + 1e-4
        return bounded and not self.are_probabilities


@evidence(cost="probe")
def outputs(model: nn.Module, train_batches: tuple[Batch, ...], *, samples: int = 16) -> Outputs:
    """Predictions on the first training samples, in train and in eval mode."""
    batch = train_batches[0].first(samples)
    few = max(1, batch.size // 2)
    set_mode(model, True)
    with _fresh_statistics_taken(model):
        train = predicted(model, batch)
    set_mode(model, False)
    # The last samples: what runs along the batch as along time changes those that come later. What may be time steps is to
    # depend on earlier ones: rows with several targets each, and rows that are a number each, as the words of one sentence.
    start = 0 if batch.has_several_targets or _is_line(batch) else batch.size - few
    whole, again = predicted(model, batch), predicted(model, batch)
    part = predicted(model, batch.rows(start, few))
    zeroed = predicted(model, Batch(mapped(batch.inputs, _zeroed), batch.targets))
    scale = _spread(whole)
    width = train.shape[1] if train.ndim >= 2 else None
    largest = _amplified(model, batch)
    return Outputs(
        shape=tuple(train.shape),
        width=width,
        minimum=float(train.min()),
        maximum=float(train.max()),
        std=float(train.std()) if train.numel() > 1 else 0.0,
        row_sum_error=float((train.sum(1) - 1).abs().max()) if width else float("inf"),
        log_sum_error=float(train.logsumexp(1).abs().max()) if width else float("inf"),
        across_samples=_across(train, whole),
        repeat=float((whole - again).abs().max()) / scale,
        mixing=_difference(whole[start : start + few], part) / scale,
        input=float((whole - zeroed).abs().max()) / scale,
        head_is_zero=_head_is_zero(model),
        finite=bool(torch.isfinite(train).all()),
        zero_share=float((train == 0).float().mean()),
        amplified=float((whole if largest is None else largest).max()),
        row_norm=_row_norm(train) if width else None,
        floor=None if largest is None else _gathering(largest),
        ceiling=None if largest is None else _negated(_gathering(-largest)),
        rounding=_rounding(model),
    )


def _rounding(model: nn.Module) -> float:
    """Relative, of the coarsest type that the model computes in."""
    types = {p.dtype for p in model.parameters() if p.is_floating_point()}
    return max((torch.finfo(t).eps for t in types), default=torch.finfo(torch.float32).eps)


def _spread(whole: Tensor) -> float:
    """The deviation of all numbers, of a single one its size."""
    return float(whole.std() if whole.numel() > 1 else whole.abs().max()) or 1e-12


def _row_norm(rows: Tensor) -> float | None:
    norms = rows.flatten(1).norm(dim=1)
    alike = len(norms) > 1 and float(norms.mean()) > 0 and float(norms.max() - norms.min()) < 1e-4 * float(norms.mean())
    return float(norms.mean()) if alike else None


def _across(train: Tensor, evaluated: Tensor) -> float:
    """A fresh net with BatchNorm may all but forget its input in eval mode, and is healthy: only an exact zero counts there."""
    if len(train) < 2:
        return float("nan")
    alike = bool((evaluated == evaluated[:1]).all())
    return 0.0 if alike else float(train.std(0).max())


@contextmanager
def _fresh_statistics_taken(model: nn.Module) -> Iterator[None]:
    """Running statistics as initialized become those of the batch that passes: else a deep net predicts one thing of all samples in eval mode."""
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    fresh = [(m, m.momentum) for m in layers if m.num_batches_tracked is not None and not int(m.num_batches_tracked)]
    for layer, _ in fresh:
        layer.momentum = 1.0
    try:
        yield
    finally:
        for layer, momentum in fresh:
            layer.momentum = momentum


def _zeroed(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor) if tensor.is_floating_point() else tensor


def _is_line(batch: Batch) -> bool:
    return next((t.ndim for t in tensors(batch.inputs) if t.ndim), 0) == 1


def _difference(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max()) if first.shape == second.shape else 0.0


def _head_is_zero(model: nn.Module) -> bool:
    heads: list[Any] = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    return bool(heads) and not bool(heads[-1].weight.detach().any())


@torch.no_grad()
def _amplified(model: nn.Module, batch: Batch) -> Tensor | None:
    """Predictions once the convolution or linear layer that runs last is 10,000 times as large, of either sign; None without one."""
    ran: list[nn.Module] = []
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | _ConvNd)]
    with attached(m.register_forward_pre_hook(lambda module, _inputs: ran.append(module)) for m in layers):
        predicted(model, batch)
    if not ran:
        return None
    found = []
    for factor in (AMPLIFIED, -1.0):
        for parameter in ran[-1].parameters(recurse=False):
            # Not in place: a parameter may be an expanded one.
            parameter.data = parameter.data * factor
        found.append(predicted(model, batch))
    return torch.cat(found)


def _gathering(values: Tensor) -> float | None:
    """The smallest value, where many others are the same."""
    least = values.min()
    many = float((values <= least + 1e-4).float().mean()) >= GATHERED
    return float(least) if many and bool(values.isfinite().all()) else None


def _negated(value: float | None) -> float | None:
    return None if value is None else -value
