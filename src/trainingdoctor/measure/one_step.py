"""One real training step, and everything that can be read off it: activations, gradients, updates."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, tensors
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.hooks import attached, leaves
from trainingdoctor.measure.layers import require_watchable
from trainingdoctor.measure.parameter_step import ParameterStep, parameter_steps
from trainingdoctor.measure.prediction import prediction
from trainingdoctor.measure.steps import backward, compute_loss, needs_closure, training_step
from trainingdoctor.measure.steps import step as optimizers_step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from trainingdoctor.plots.canvas import Path


@dataclass(frozen=True)
class Activation:
    """Output of one leaf module. spatial: (height, width) of a 4-D output.  std: over all its numbers."""

    name: str
    kind: str
    shape: tuple[int, ...]
    mean: float
    std: float
    finite: bool

    @property
    def spatial(self) -> tuple[int, int] | None:
        """Height and width of a 4-D output."""
        return (self.shape[2], self.shape[3]) if len(self.shape) == 4 else None


@dataclass(frozen=True)
class OneStep:
    """A training step on `batch_size` samples. activations: in the order they ran.  seconds: of a second step.
    input_side: the longer side of image inputs.  output_finite: no NaN or infinity in the prediction.  further: shapes of the
    inputs but the first, such as the state that a recurrent cell is given back.
    """

    loss: float
    batch_size: int
    activations: tuple[Activation, ...]
    parameters: tuple[ParameterStep, ...]
    logits_std: float | None
    logits_constant: bool
    seconds: float | None
    input_side: int | None = None
    output_finite: bool = True
    further: tuple[tuple[int, ...], ...] = ()

    @property
    def carried(self) -> frozenset[str]:
        """Modules whose output has the shape of such an input: what they make may count in the next step only."""
        return frozenset(a.name for a in self.activations if a.shape in self.further)

    @property
    def gradient_norm(self) -> float:
        """Norm over all parameters."""
        return math.sqrt(sum((p.gradient or 0.0) ** 2 for p in self.parameters))

    @property
    def first_nonfinite(self) -> str | None:
        """The first module whose output held NaN or infinity."""
        return next((a.name for a in self.activations if not a.finite), None)

    @property
    def weights(self) -> tuple[ParameterStep, ...]:
        """Trainable matrices and kernels, in the model's order; embeddings and scales of normalization layers excluded."""
        matrices = (p for p in self.parameters if p.ndim >= 2 and not p.vector)
        return tuple(p for p in matrices if p.trainable and "Embedding" not in p.kind and "Norm" not in p.kind)

    def plot(self, target: "Path | None" = None) -> "Figure":
        """Draw by depth: the size of the activations, of the gradients, and of the updates.

        target: a file to write (.png, .svg, .pdf), or None; returns the figure.
        """
        from trainingdoctor.plots.one_step import draw

        return draw(self, target)

    def _repr_html_(self) -> str | None:
        """For notebooks."""
        from trainingdoctor.render.notebook import picture_html
        from trainingdoctor.render.words import of_step

        return picture_html(self.plot, of_step(self))


@evidence(cost="probe", optional=("optimizers", "amp", "grad_clip"))
def one_step(
    model: nn.Module,
    train_batches: tuple[Batch, ...],
    criterion: Callable[..., Any],
    optimizers: tuple[Any, ...] | None,
    amp: Any,
    grad_clip: float | None,
    *,
    samples: int = 32,
) -> OneStep:
    """Make one step of the user's training on real samples, and a second one to time it."""
    if any(needs_closure(o) for o in optimizers or ()):
        optimizers = None
    return timed_step(model, train_batches[0].first(samples), criterion, optimizers or (), amp, grad_clip)


def timed_step(
    model: nn.Module,
    batch: Batch,
    criterion: Callable[..., Any],
    optimizers: Sequence[Any],
    amp: Any = None,
    grad_clip: float | None = None,
) -> OneStep:
    """A watched step in train() mode, and with optimizers a second one to time it. Changes the model."""
    set_mode(model, True)
    step = measure_step(model, batch, criterion, amp, list(optimizers), grad_clip)
    if not optimizers:
        return step
    started = time.perf_counter()
    training_step(model, batch, criterion, optimizers, amp, grad_clip)
    return replace(step, seconds=time.perf_counter() - started)


def measure_step(
    model: nn.Module,
    batch: Batch,
    criterion: Callable[..., Any],
    amp: Any = None,
    optimizers: list[Any] | None = None,
    grad_clip: float | None = None,
) -> OneStep:
    """Forward, backward and (with optimizers) a step of `model` on `batch`, watched. Changes the model."""
    model.zero_grad(set_to_none=True)
    with watched(model) as activations:
        output, loss = compute_loss(model, batch, criterion, amp)
    if loss.numel() != 1:
        raise Unavailable(f"the criterion returns {tuple(loss.shape)} numbers, not one: there is nothing to descend")
    backward(loss, optimizers or ())
    before = {n: p.detach().clone() for n, p in model.named_parameters()} if optimizers else {}
    with clipped(model, grad_clip if optimizers else None):
        optimizers_step(optimizers or ())
    logits = _prediction_or_none(output)
    return OneStep(
        loss=float(loss.detach()),
        batch_size=batch.size,
        activations=tuple(activations),
        parameters=tuple(parameter_steps(model, before)),
        logits_std=None if logits is None else float(logits.std()),
        logits_constant=logits is not None and bool((logits == logits[:1]).all()),
        seconds=None,
        input_side=_side(batch),
        output_finite=logits is None or bool(torch.isfinite(logits).all()),
        further=tuple(tuple(t.shape) for t in tensors(batch.inputs))[1:],
    )


@contextmanager
def clipped(model: nn.Module, norm: float | None) -> Iterator[None]:
    """Gradients clipped to `norm` inside the block, and as they were after it."""
    if not norm:
        yield
        return
    before = [(p.grad, p.grad.clone()) for p in model.parameters() if p.grad is not None]
    nn.utils.clip_grad_norm_(model.parameters(), norm)
    yield
    for gradient, value in before:
        gradient.copy_(value)


def _side(batch: Batch) -> int | None:
    image = next((t for t in tensors(batch.inputs) if t.ndim == 4), None)
    return None if image is None else max(image.shape[2:])


def _prediction_or_none(output: Any) -> Tensor | None:
    try:
        return prediction(output).detach().float()
    except Unavailable:
        return None


@contextmanager
def watched(model: nn.Module) -> Iterator[list[Activation]]:
    """Record the output of every leaf module that runs in the block."""
    records: list[Activation] = []
    require_watchable(model)
    with attached(m.register_forward_hook(_recorder(n or type(m).__name__, records)) for n, m in leaves(model)):
        yield records


def _recorder(name: str, records: list[Activation]) -> Callable[[nn.Module, Any, Any], None]:
    def record(module: nn.Module, _inputs: Any, output: Any) -> None:
        value = next((t for t in tensors(output) if t.is_floating_point() and t.numel() > 1), None)
        if value is None:
            return
        with torch.no_grad():
            std, mean = torch.std_mean(value.detach().float())
        # A sum that is not finite has a term that is not: one pass over the output tells both.
        finite = bool(torch.isfinite(mean) & torch.isfinite(std))
        records.append(Activation(name, type(module).__name__, tuple(value.shape), float(mean), float(std), finite))

    return record
