"""The losses of a watched loop, whatever they are made of: whether they are numbers, and of what belongs together."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.criterion import CriterionKind
    from trainingdoctor.measure.optimizers import Group
    from trainingdoctor.measure.targets import Targets
    from trainingdoctor.observing.seen import NonfiniteSeen
    from trainingdoctor.observing.trace import LoopTrace

GOYAL = "Goyal et al. 2017, Accurate, Large Minibatch SGD, arXiv:1706.02677, section 3.2"
BROADCASTING = "https://pytorch.org/docs/stable/notes/broadcasting.html"
VAE = "Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv:1312.6114, appendix B"
WHERE = "PyTorch FAQ of autograd: gradients through torch.where() and masks are NaN where the branch not taken is"


@check("loop.nonfinite", explains=("loss.not_learning", "history.nonfinite"), references=(WHERE,))
def nonfinite(loop_trace: LoopTrace) -> Verdicts:
    """The loss of the watched loop became NaN or infinite.

    What it does: looks at the loss at each backward() of the first dozens of steps, and, at the first one that is no number, at the
    weights and at the model's output.
    Why it costs accuracy: one such step makes all weights NaN, and they stay so.
    Remedy: as the finding says which of the three it was: an empty mask or a logarithm of zero in the loss; a division, a root or a
    softmax over nothing in forward(); a root of zero or a norm of zero, whose value is fine and whose gradient is not.
    Thresholds: none. Losses in half precision are left out: a GradScaler lets them overflow until it has found its scale.
    Measured: no measurement; arithmetic.
    """
    seen = loop_trace.nonfinite
    if seen is None:
        if loop_trace.backwards:
            yield Note(f"{loop_trace.backwards} losses, all finite")
        return
    source, remedy = _source(seen)
    yield critical(
        f"Loss number {seen.count} of the loop is {seen.value:g}{_before(seen)}; {source}",
        remedy,
        where=seen.where,
        count=seen.count,
    )


def _before(seen: NonfiniteSeen) -> str:
    return "" if seen.before is None else f", the one before it was {seen.before:.3g}"


def _source(seen: NonfiniteSeen) -> tuple[str, str]:
    """What was finite still, and what to look for."""
    if not seen.weights:
        return (
            "the weights were no numbers before it: the step before made them so.",
            "Where the losses before do not grow, a gradient is infinite though its loss is not: torch.sqrt(x + 1e-12), x.norm() of "
            "zero, x / x.std(), torch.where() over a branch that is NaN; else a lower rate.",
        )
    if not seen.output:
        return (
            "the weights are finite and the model's output is not: it is what forward() does with this batch.",
            "Look for a division by a count that may be 0, log or sqrt of 0, exp of large numbers, a softmax whose values are all masked.",
        )
    return (
        "weights and output are finite: it is the loss of this batch.",
        "Look for a mean over nothing: mask.sum().clamp(min=1), a batch whose targets are all ignore_index; log(p + 1e-12).",
    )


@check("loss.broadcast", explains=("loop.nonfinite", "loss.*", "lr.*"), references=(BROADCASTING,))
def broadcast(loop_trace: LoopTrace) -> Verdicts:
    """A loss of one's own subtracts all targets from each prediction.

    What it does: looks in the graph of the first losses for a difference (N, N) of N predictions and something without a gradient.
    Why it costs accuracy: (N, 1) - (N) is (N, N): each prediction is drawn to all targets, and the best that is left to learn is
    their mean.
    Remedy: prediction.squeeze(1) - target, or target.unsqueeze(1).
    Thresholds: none; shapes. Losses of pairs subtract predictions from predictions, and are left out.
    Measured: no measurement; arithmetic.
    """
    seen = loop_trace.broadcast
    if seen is not None:
        samples = seen.made[0]
        yield critical(
            f"The loss subtracts {samples} targets from each of {samples} predictions: {seen.given} and the targets' shape give {seen.made}.",
            "prediction.squeeze(1) - target, or target.unsqueeze(1): both of one shape",
            where=seen.where,
            samples=samples,
        )


@check("loss.term_summed", explains=("model.ignores_input",), references=(VAE,))
def term_summed(loop_trace: LoopTrace, *, times: float = 8.0, rest: float = 3.0) -> Verdicts:
    """One term of the loss is summed over the samples of a batch, and another one averaged.

    What it does: follows the first losses of a watched loop in the graph to what they add up, with the factors before it.
    Why it costs accuracy: the sum weighs as many times as there are samples in a batch. A divergence that is summed beside an averaged
    reconstruction makes the code of a variational autoencoder empty within some steps: each sample gets the mean image.
    Remedy: both summed over the numbers of a sample, and averaged over the samples.
    Thresholds: the sum's factor times the samples is 8 and more, so that a factor that makes up for it is silent; and what the average leaves
    of the first losses is three times as large as it. Penalties on weights are no sums over samples, and are left out.
    Measured: no measurement yet.
    """
    seen = loop_trace.terms
    if seen is not None and seen.samples * seen.weight >= times and seen.rest >= rest:
        yield warning(
            f"A term of the loss is summed over {seen.samples} samples and has the factor {seen.weight:.3g}, beside one that is averaged: "
            f"it weighs {seen.samples * seen.weight:.3g} times as much for each sample, and the rest of the loss is {seen.rest:.3g} times the average.",
            "reduction='sum' for both, and divide by the batch size: (reconstruction + divergence) / len(x)",
            where=seen.where,
            confidence=0.7,
            samples=seen.samples,
        )


@check(
    "loss.divided_twice",
    cost="probe",
    explains=("lr.too_low", "lr.update_ratio", "loss.not_learning", "clip.*", "decay.too_strong"),
    references=(GOYAL,),
)
def divided_twice(
    loop_trace: LoopTrace,
    criterion_kind: CriterionKind,
    targets: Targets,
    parameter_groups: tuple[Group, ...],
    *,
    same: float = 0.02,
    least: int = 3,
    usual: float = 0.01,
) -> Verdicts:
    """A mean over the batch is divided by the batch size once more.

    What it does: compares the value that backward() is called on with what the criterion, which averages by itself, returned.
    Why it costs accuracy: the gradient, and with it SGD's rate, is divided by the batch size.
    Remedy: loss.backward() on what the criterion returns, or reduction="sum" before the division.
    Thresholds: in more than half of `least` steps or more the criterion's value is the batch size times the loss, within 2 %, and no
    such number of batches is accumulated; and what the rate then acts as is below 0.01, a tenth of what He et al. 2015 (section 4.2) begin with. Above
    it, and with Adam, which does not mind a constant factor: an info.
    Measured: no measurement yet.
    """
    size = targets.shape[0]
    seen = [s for s in loop_trace.steps if s.loss and s.criterion]
    if criterion_kind.reduction != "mean" or len(seen) < least or size < 2:
        return
    batches = max(1, median(s.batches for s in seen))
    divided = [s for s in seen if abs((s.criterion or 0) / (s.loss or 1) / size - 1) < same]
    if len(divided) <= len(seen) / 2 or batches > size / 2:
        return
    rate = max(g.base_lr for g in parameter_groups)
    acts = rate * batches / size
    harmless = acts >= usual or all(g.adaptive for g in parameter_groups)
    yield (info if harmless else warning)(
        f"The loss is {criterion_kind.name}'s mean over {size} samples, divided by {size} once more: a rate of {rate:g} acts as {acts:.3g}.",
        'loss.backward() on what the criterion returns, or reduction="sum" before the division',
        where=loop_trace.backward_at,
        effective_rate=acts,
    )


CHECKS = (nonfinite, broadcast, term_summed, divided_twice)
