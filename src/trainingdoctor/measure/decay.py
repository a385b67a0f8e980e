"""What weight decay does over this run: how fast weights are forgotten, and how much in all."""

from dataclasses import dataclass
from typing import Any

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.criterion import smoothing_of
from trainingdoctor.measure.dataset import innermost, length
from trainingdoctor.measure.optimizers import Group
from trainingdoctor.measure.schedule import ScheduleTrace, steps_per_epoch
from trainingdoctor.measure.targets import listed_targets

# Criteria of regression, restoration and adversarial training.
REGRESSIONS = ("MSE", "mse", "L1", "l1", "SmoothL1", "smooth_l1", "Huber", "huber", "GaussianNLL", "PoissonNLL", "BCE")


@dataclass(frozen=True)
class NormDecay:
    """Weight decay of a group without weight matrices. forgets_in_steps: at the peak rate."""

    place: str
    decay: float
    forgets_in_steps: float


@dataclass(frozen=True)
class Decay:
    """Weight decay of the group that decays most. rate: its peak learning rate, without momentum.

    forgets_in_steps: steps in which decay alone shrinks a weight by e, at the peak rate; None without decay.
    total: the sum over the run of effective rate times decay; None when the run's length is unknown.  classifies: the
    data set lists classes and the criterion is none that regresses.  norms: of a group of normalizations and biases that decays more.
    """

    optimizer: str
    decoupled: bool
    place: str
    strongest: float
    rate: float
    forgets_in_steps: float | None
    total: float | None
    steps_per_epoch: int | None
    epochs: int | None
    samples: int | None
    dropouts: int
    label_smoothing: float
    classifies: bool = True
    norms: NormDecay | None = None


@evidence(optional=("schedule_trace", "train_loader", "epochs", "criterion", "dropout_layers"))
def decay(
    parameter_groups: tuple[Group, ...],
    schedule_trace: ScheduleTrace | None,
    train_loader: Any,
    epochs: int | None,
    criterion: Any,
    dropout_layers: tuple[Any, ...] | None,
) -> Decay:
    """Put rate, momentum, decay and the run's length together."""
    holding = [g for g in parameter_groups if g.weights]
    if not holding:
        raise Unavailable("no parameter group holds a weight matrix")
    group = max(holding, key=lambda g: g.weight_decay)
    # The schedule is that of the leading group; the other groups keep their ratio to it.
    leading = parameter_groups[schedule_trace.group].lr if schedule_trace else group.lr
    peak, boost = _peak(group, leading, schedule_trace), _boost(group, schedule_trace)
    per_step = peak * boost * group.weight_decay
    others = [g for g in parameter_groups if not g.weights and g.weight_decay > group.weight_decay]
    norms = max(others, key=lambda g: g.weight_decay, default=None)
    by_norms = (
        norms.weight_decay * _peak(norms, leading, schedule_trace) * _boost(norms, schedule_trace) if norms else 0.0
    )
    steps = schedule_trace.steps if schedule_trace else None
    mean = schedule_trace.mean_over_peak if schedule_trace else 1.0
    return Decay(
        optimizer=group.optimizer,
        decoupled=group.decoupled,
        place=f"{group.place}.weight_decay",
        strongest=group.weight_decay,
        rate=peak,
        forgets_in_steps=1 / per_step if per_step > 0 and not _coupled_adaptive(group) else None,
        total=per_step * steps * mean if steps is not None else None,
        steps_per_epoch=schedule_trace.steps_per_epoch if schedule_trace else steps_per_epoch(train_loader),
        epochs=None if epochs is None else int(epochs),
        samples=length(getattr(train_loader, "dataset", None)),
        dropouts=len(dropout_layers or ()),
        label_smoothing=smoothing_of(criterion),
        classifies=_classifies(train_loader, criterion),
        norms=NormDecay(f"{norms.place}.weight_decay", norms.weight_decay, 1 / by_norms)
        if norms and by_norms > 0 and not _coupled_adaptive(norms)
        else None,
    )


def _peak(group: Group, leading: float, trace: ScheduleTrace | None) -> float:
    return trace.peak * (group.lr / leading if leading else 1.0) if trace else group.lr


def _boost(group: Group, trace: ScheduleTrace | None) -> float:
    """How much further momentum carries a step."""
    at_peak = trace.momentum if trace and group.momentum is not None else group.momentum
    momentum = 0.0 if group.decoupled else at_peak or 0.0
    return 1 / (1 - momentum) if momentum < 1 else 1.0


def _classifies(loader: Any, criterion: Any) -> bool:
    name = str(getattr(criterion, "__name__", type(criterion).__name__))
    dataset = getattr(loader, "dataset", None)
    classes = bool(getattr(innermost(dataset), "classes", ())) or listed_targets(dataset) is not None
    return classes and not name.startswith(REGRESSIONS)


def _coupled_adaptive(group: Group) -> bool:
    """In Adam with L2 the decay is divided by the gradient's size: its product with the rate means nothing."""
    return group.adaptive and not group.decoupled
