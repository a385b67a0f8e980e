"""The learning-rate range test: the same training at a rate that climbs from low to high, over several seeds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.curve_shape import Shape, shape
from trainingdoctor.measure.ramp import Ramp, reference_rate
from trainingdoctor.measure.schedule import ScheduleTrace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from trainingdoctor.plots.canvas import Target

# The part of the stable edge that is suggested; see `LrCurve.suggested`.
SUGGESTED = (0.2, 0.5)


@dataclass(frozen=True)
class LrCurve:
    """What `lr_range_test` measured. Rates are those of the first parameter group; other groups keep their ratio to it.

    rates: the ramp, one per step.  losses: per seed the loss before the ramp, and then on the next batch after the
    step at each rate; shorter than the ramp where that run's loss was not finite any more or had climbed away.
    rate: the user's own.  seconds: for all seeds.
    """

    rates: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    rate: float
    accumulate: int = 1
    seconds: float = 0.0
    shape: Shape = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", shape(self.losses, len(self.rates)))

    @property
    def seeds(self) -> int:
        """Number of runs."""
        return len(self.losses)

    @property
    def loss(self) -> tuple[float, ...]:
        """Loss after each rate, median over the seeds, smoothed; as far as more than half of the runs went."""
        return self.shape.loss

    @property
    def stable(self) -> tuple[float, float] | None:
        """The stable interval: from the rate at which the loss starts to fall to the last one before it climbs.

        These are Smith's bounds (2017, arXiv:1506.01186, section 3.3: where the accuracy "starts to increase" and
        where it "slows, becomes ragged, or starts to fall"), read off the smoothed median of the seeds: where a tenth of the whole
        fall is done, and where a tenth of it is lost again. None where the loss did not fall by more than its noise.
        """
        return self._bounds(self.shape)

    def _bounds(self, found: Shape) -> tuple[float, float] | None:
        if found.falls is None or found.edge is None:
            return None
        return self.rates[found.falls], self.rates[found.edge]

    @property
    def edge(self) -> float | None:
        """The upper end of the stable interval. Where `open`, the ramp ended before it was found: it is higher."""
        return None if self.stable is None else self.stable[1]

    @property
    def open(self) -> bool:
        """Whether the loss had not climbed yet at the highest rate tried."""
        return self.stable is not None and not self.shape.climbs

    @cached_property
    def edges(self) -> tuple[float, ...]:
        """The edge of each seed taken alone, where it has one: how far they differ is how well the edge is known."""
        alone = (self._bounds(shape([run], len(self.rates))) for run in self.losses)
        return tuple(bounds[1] for bounds in alone if bounds)

    @property
    def steepest(self) -> float | None:
        """The rate at which the loss falls fastest, per step and so per factor of the rate."""
        return None if self.shape.steepest is None else self.rates[self.shape.steepest]

    @property
    def suggested(self) -> tuple[float, float] | None:
        """A fifth to a half of the edge, within the stable interval: a rate to start from, or a schedule's peak.

        Smith (2017, section 3.3) calls the best rate "usually within a factor of two" of the largest that converges.
        Measured (`benchmarks/lr_range.py`, six small nets on CIFAR-10, 600 steps with cosine decay, SGD and AdamW):
        test loss above the best of the shares tried, in nats, worst of the six: a tenth of the edge 0.21, a fifth 0.10,
        a third 0.05, a half 0.08, the edge itself 0.36, twice the edge 1.09 (one net learned nothing). A ramp is short:
        published recipes for nets with BatchNorm go higher, as the ResNet-20's 0.1 at two thirds of its edge.
        """
        if self.stable is None:
            return None
        low, edge = self.stable
        return max(low, SUGGESTED[0] * edge), max(low, SUGGESTED[1] * edge)

    @property
    def place(self) -> str:
        """Where the user's rate lies: "below", "inside" or "above" the stable interval; "unknown" without one."""
        if self.stable is None or (self.open and self.rate > self.stable[1]):
            return "unknown"
        low, edge = self.stable
        return "below" if self.rate < low else "above" if self.rate > edge else "inside"

    @property
    def why_not(self) -> str | None:
        """Why there is no stable interval, in a sentence; None where there is one."""
        if self.stable is not None:
            return None
        start, high = self.shape.start, self.rates[-1]
        if not self.loss:
            return "the loss is not finite from the start"
        return (
            f"nothing was learned at any rate from {self.rates[0]:.2g} to {high:.2g}: the loss starts at {start:.3g} "
            f"and never falls by more than its noise (lowest {min(self.loss):.3g})"
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON: numbers, strings and lists; a loss that is not finite is None."""
        return {
            "rate": self.rate,
            "place": self.place,
            "stable": None if self.stable is None else list(self.stable),
            "open": self.open,
            "edges": list(self.edges),
            "steepest": self.steepest,
            "suggested": None if self.suggested is None else list(self.suggested),
            "why_not": self.why_not,
            "seeds": self.seeds,
            "accumulate": self.accumulate,
            "seconds": self.seconds,
            "start": self.shape.start if math.isfinite(self.shape.start) else None,
            "rates": list(self.rates),
            "loss": list(self.loss),
            "losses": [[x if math.isfinite(x) else None for x in run] for run in self.losses],
        }

    def plot(self, target: Target = None) -> Figure:
        """Draw the curve: each seed thin, the smoothed median, the stable interval, the user's rate.

        target: a file to write (.png, .svg, .pdf), matplotlib axes to draw into, or None; returns the figure.
        """
        from trainingdoctor.plots.lr_curve import draw

        return draw(self, target)

    def _repr_html_(self) -> str | None:
        """For notebooks."""
        from trainingdoctor.render.notebook import picture_html
        from trainingdoctor.render.words import of_curve

        return picture_html(self.plot, of_curve({"lr_curve": self}))


def ramp_rates(low: float, high: float, steps: int) -> tuple[float, ...]:
    """`steps` rates from low to high, each the same multiple of the one before."""
    return tuple(low * (high / low) ** (i / (steps - 1)) for i in range(steps))


def measure_lr_curve(
    ramp: Ramp, rates: Sequence[float], seeds: int, rate: float | None, tick: Callable[[int, int], object]
) -> LrCurve:
    """Run the ramp once per seed. tick: called with the steps done and the steps there may be."""
    own = reference_rate(ramp.optimizers) if rate is None else rate
    started = time.perf_counter()
    runs = []
    for seed in range(seeds):
        done = iter(range(seed * len(rates) + 1, (seed + 1) * len(rates) + 1))
        runs.append(tuple(ramp.losses(rates, seed, _ticker(tick, done, seeds * len(rates)))))
    return LrCurve(tuple(rates), tuple(runs), float(own), ramp.accumulate, time.perf_counter() - started)


def _ticker(tick: Callable[[int, int], object], done: Iterator[int], total: int) -> Callable[[], object]:
    return lambda: tick(next(done), total)


@evidence(cost="train", optional=("schedule_trace", "amp", "grad_clip", "augment_on_device"))
def lr_curve(
    model: nn.Module,
    criterion: Callable[..., Any],
    optimizers: tuple[Any, ...],
    train_loader: Any,
    augment_on_device: Callable[..., Any] | None,
    schedule_trace: ScheduleTrace | None,
    amp: Any,
    grad_clip: float | None,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    seeds: int = 1,
) -> LrCurve:
    """The range test of the training, with the schedule's peak as the user's rate. The dearest of all evidence."""
    if not (0 < low < high and steps >= 10 and seeds >= 1):
        raise Unavailable("the range test needs 0 < low < high, at least 10 steps and a seed")
    peak = schedule_trace.peak if schedule_trace and schedule_trace.peak > 0 else None
    ramp = Ramp(model, criterion, optimizers, train_loader, augment_on_device, 1, amp, grad_clip)
    return measure_lr_curve(ramp, ramp_rates(low, high, steps), seeds, peak, lambda *_: None)
