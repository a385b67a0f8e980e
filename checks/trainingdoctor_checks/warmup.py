"""The first steps of the run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.layers import Architecture
    from trainingdoctor.measure.optimizers import Group
    from trainingdoctor.measure.pretraining import Pretraining
    from trainingdoctor.measure.warmup import Warmup

HE = "He et al. 2015, arXiv:1512.03385, section 4.2: ResNet-110 starts at 0.01"
XIONG = "Xiong et al. 2020, On Layer Normalization in the Transformer Architecture, arXiv:2002.04745"
WARM = "scheduler = SequentialLR(optimizer, [LinearLR(optimizer, 0.01, total_iters={n}), <your scheduler>], milestones=[{n}])"


@check(
    "schedule.warmup_missing",
    cost="train",
    explains=("lr.too_high", "loss.diverges", "lr.update_ratio"),
    references=(HE, XIONG),
)
def warmup_missing(
    warmup: Warmup,
    architecture: Architecture,
    parameter_groups: tuple[Group, ...],
    pretraining: Pretraining,
    *,
    deep: int = 100,
    spike: float = 2.0,
) -> Verdicts:
    """The run starts at its full rate where it should warm up.

    What it does: looks at the trial at the peak rate from the first step on; where that diverges it makes one more,
    whose rate rises over the first third of the steps.
    Why it costs accuracy: a deep net, and a transformer under Adam, are not yet smooth enough at the start for the rate
    that they bear later.
    Remedy: a linear warm-up over the first epochs (5 % of the run), inside the schedule.
    Thresholds: warns only where the measurement shows it: the trial diverges cold and learns warm. It informs where
    recipes warm up (attention with an adaptive optimizer from scratch, 100 convolutions or more) or where the loss
    first shoots to twice its start: such trainings converge later, and many end as well (He et al., who started their
    ResNet-110 at a tenth of the rate).
    Measured: no measurement yet.
    """
    w = warmup
    transformer = architecture.attention > 0 and any(g.adaptive for g in parameter_groups) and not pretraining.done
    remedy = WARM.format(n="<5 % of the calls>")
    if w.heals:
        yield warning(
            f"At the full rate {w.peak:g} from the first step on the loss diverges; with a warm-up it is {w.warm_end:.3g} after {w.steps} steps "
            f"({w.initial:.3g} at the start).",
            remedy,
            where="scheduler",
            confidence=0.8,
            warm_end=w.warm_end,
        )
    elif not math.isfinite(w.cold_end):
        yield Note("the trial at the peak rate diverges with a warm-up, too")
    elif w.spike > spike or transformer or architecture.convolutions >= deep:
        shot = f": the loss goes from {w.initial:.3g} up to {w.spike * w.initial:.3g} first" if w.spike > spike else ""
        yield info(
            f"The run starts at the full rate {w.peak:g}, without a warm-up{shot}.",
            remedy,
            where="scheduler",
            spike=w.spike,
        )
    else:
        yield Note(f"starts at the full rate {w.peak:g}; the highest loss is {w.spike:.2g} times the first")


CHECKS = (warmup_missing,)
