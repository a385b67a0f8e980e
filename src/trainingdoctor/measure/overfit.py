"""Can the model, with its criterion, learn one small batch by heart?"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, device_of
from trainingdoctor.measure.calling import set_mode, user_code
from trainingdoctor.measure.chance import chance_loss
from trainingdoctor.measure.channels_last import faster
from trainingdoctor.measure.floor import Floor, floor_of
from trainingdoctor.measure.precision import HALVES, single_batch
from trainingdoctor.measure.prediction import prediction
from trainingdoctor.measure.restore import Snapshot
from trainingdoctor.measure.steps import backward, compute_loss

# A share of the loss, under which hardly anything was learned.
LITTLE = 0.1
NORMALIZING = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Overfit:
    """Losses of training on one batch with Adam. accuracy: share of it predicted right at the end, in train mode.
    rate: at which it went best.

    normalized: the model has layers that normalize, and trains most of its weights: this takes some dozens of steps then;
    else, as of a head on a frozen body, a hundred and more.
    floor: what the criterion can come down to, searched where the loss itself tells of little progress.
    whole: all steps that were planned were made, or the batch was learned before.  rows: several class numbers belong to
    each sample, as in a language model, so that there are many more to learn.
    """

    losses: tuple[float, ...]
    accuracy: float | None
    samples: int
    rate: float
    chance: float | None
    learned: bool
    normalized: bool = True
    whole: bool = True
    rows: bool = False
    floor: Floor | None = None

    @property
    def best(self) -> float:
        """Lowest loss reached; infinity when none was finite."""
        return min((v for v in self.losses if math.isfinite(v)), default=math.inf)

    @property
    def progress(self) -> float:
        """Share of the loss that is gone, of the initial loss or of chance if that is lower; 0 when it went up.

        Or, where that is more, of what can be gone: from the best that one output for all samples gives, down to the floor.
        """
        return max(0.0, _fallen(self.losses[0], self.best, self.chance), self._below_constant)

    @property
    def _below_constant(self) -> float:
        if self.floor is None:
            return 0.0
        start = min(self.losses[0], self.floor.constant)
        possible = start - self.floor.free
        return (start - self.best) / possible if possible > LITTLE * LITTLE * abs(start) else 0.0


@evidence(cost="train", optional=("amp",))
def overfit(
    model: nn.Module,
    criterion: Callable[..., Any],
    train_batches: tuple[Batch, ...],
    amp: Any,
    *,
    samples: int = 32,
    rate: float = 1e-3,
    seconds: float = 12.0,
    most_steps: int = 150,
    higher: float = 30.0,
    between: float = 10.0,
) -> Overfit:
    """Train on the first `samples` samples with Adam, whatever the user's optimizer, until they are learned.

    This separates "model, loss and data path cannot learn" from "the recipe cannot": weights in half precision, which
    Adam's eps leaves with 0 / 0, are trained in float32. Stops as soon as the loss has lost
    three quarters, or 90 % of the samples are predicted right and a third of the loss is gone. The few large weights of a
    net of some units do not get far at this rate: where hardly anything was learned in less than half of the seconds, `higher`
    times the rate is tried as well. A variational autoencoder gives up its code at that: where the criterion's floor is high,
    `between` times, too.
    """
    batch = train_batches[0].first(samples)
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise Unavailable("no parameter is trainable")
    if (count := sum(p.numel() for p in model.parameters())) < batch.size:
        raise Unavailable(f"{count} parameters cannot learn {batch.size} samples by heart")
    set_mode(model, True)
    if any(p.dtype in HALVES for p in parameters):
        model.float()
        batch = single_batch(batch)
    started = time.perf_counter()
    with faster(model, batch):
        initial = Snapshot(model, criterion)
        first = _tried(model, batch, criterion, amp, rate, most_steps, started + seconds)
        if first.progress >= LITTLE:
            return first
        with torch.no_grad():
            output, _ = compute_loss(model, batch, criterion, amp)
        floor = floor_of(output, batch.to(device_of(model)), criterion)
        best = replace(first, floor=floor)
        for factor in (higher, between) if floor is not None and floor.is_high else (higher,):
            if best.progress >= LITTLE or not first.whole or time.perf_counter() - started > seconds / 2:
                break
            initial.restore()
            tried = _tried(model, batch, criterion, amp, factor * rate, most_steps, started + seconds)
            best = max(best, replace(tried, floor=floor), key=lambda o: o.progress)
        return best


def _tried(
    model: nn.Module, batch: Batch, criterion: Callable[..., Any], amp: Any, rate: float, most_steps: int, until: float
) -> Overfit:
    """At one rate. until: of `time.perf_counter()`; ten steps are made nevertheless."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    chance = chance_loss((batch,), criterion)
    losses: list[float] = []
    accuracy: float | None = None
    while len(losses) < most_steps and (len(losses) < 10 or time.perf_counter() < until):
        loss, accuracy = _step(model, batch, criterion, optimizer, amp)
        losses.append(loss)
        if not math.isfinite(loss) or _learned(losses, accuracy, chance):
            break
    learned = _learned(losses, accuracy, chance)
    whole = learned or len(losses) == most_steps or not math.isfinite(losses[-1])
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    mostly = 2 * trained >= sum(p.numel() for p in model.parameters())
    normalized = mostly and any(isinstance(m, NORMALIZING) for m in model.modules())
    return Overfit(
        tuple(losses), accuracy, batch.size, rate, chance, learned, normalized, whole, batch.has_several_targets
    )


def _step(
    model: nn.Module, batch: Batch, criterion: Callable[..., Any], optimizer: torch.optim.Optimizer, amp: Any
) -> tuple[float, float | None]:
    optimizer.zero_grad(set_to_none=True)
    output, loss = compute_loss(model, batch, criterion, amp)
    backward(loss)
    with user_code("Adam's step"):
        optimizer.step()
    return float(loss.detach()), _accuracy(output, batch)


def _accuracy(output: Any, batch: Batch) -> float | None:
    if not isinstance(batch.targets, Tensor) or batch.targets.ndim != 1 or batch.targets.is_floating_point():
        return None
    try:
        guess = prediction(output)
    except Unavailable:
        return None
    return float((guess.argmax(1).cpu() == batch.targets.cpu()).float().mean()) if guess.ndim == 2 else None


def _fallen(start: float, now: float, chance: float | None) -> float:
    """Share of the loss that is gone. A deep net starts far above chance: coming down to that is not learning yet."""
    reference = min(start, chance) if chance else start
    return (reference - now) / abs(reference) if math.isfinite(reference) and reference else 0.0


def _learned(losses: list[float], accuracy: float | None, chance: float | None) -> bool:
    fallen = _fallen(losses[0], losses[-1], chance)
    return fallen > 0.75 or (accuracy is not None and accuracy >= 0.9 and fallen > 0.3)
