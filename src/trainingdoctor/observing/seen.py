"""What was seen of the parts of a watched loop, as records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StepSeen:
    """One optimizer.step().

    optimizer: its number.  epoch: number of the pass through the training data, from 1.  backwards: calls of
    backward() since this optimizer's step before.  batches: of the loader since then.  cleared: whether one of these
    began with empty gradients; None for the first step.  gradients: whether any parameter had one.  rate: of its first
    group.  loss: the value that backward() was last called on.  criterion: the value that the criterion last returned.
    overwritten: relative change of the weights between the step before and this step's backward(), which no optimizer
    made.  returned: they are, bit for bit, what they were before the first step, and the optimizer goes on.  training: mode of the
    model that it holds.  lost: calls of backward() whose gradients were cleared before the next one, or before this step.  empty:
    no gradients were left to step with.  scaled: they were still multiplied by the GradScaler's scale.  where: file:line of the call.
    """

    optimizer: int
    epoch: int
    backwards: int
    cleared: bool | None
    gradients: bool
    rate: float
    loss: float | None = None
    criterion: float | None = None
    overwritten: float = 0.0
    training: bool = True
    batches: int = 1
    where: str = ""
    returned: bool = False
    lost: int = 0
    empty: bool = False
    scaled: bool = False


@dataclass(frozen=True)
class PassSeen:
    """One pass through a loader, as far as it was let go.

    kind: training (something was learned during it), evaluation (the model ran, and nothing was learned) or other.
    loader: its number.  train_mode, eval_mode: forward passes of the model in each mode.  with_gradient: forward passes
    under enabled gradients.  graphs_kept: earlier batches of which a graph was alive at once.  left: the script left it before its
    end.  where: file:line of the loop.
    """

    kind: str
    loader: int
    batches: int
    train_mode: int
    eval_mode: int
    with_gradient: int
    graphs_kept: int = 0
    where: str = ""
    left: bool = False


@dataclass(frozen=True)
class LoaderSeen:
    """A DataLoader. dataset: number of its data set, subsets counted as their own unless they hold the same indices.

    train_split: what the data set says of itself (torchvision's `train`, `split`): True, False, or None.
    """

    dataset: int
    train_split: bool | None
    batches: int | None
    described: str = ""


@dataclass(frozen=True)
class OptimizerSeen:
    """An optimizer. parameters: a number for the set of parameters that it holds; equal sets have the same.

    stateful: whether it remembers anything between steps (momentum, moments).  first_epoch: of its first step.
    """

    name: str
    parameters: int
    stateful: bool
    adaptive: bool
    first_epoch: int
    steps: int
    where: str = ""


@dataclass(frozen=True)
class SchedulerSeen:
    """A scheduler of torch. ticks: calls of step(), without the one in its constructor.  early: before the first
    optimizer step.  within: ticks that fell between two steps of the same pass through the training data.  end: the call at which
    it reaches what it was built for, or a thousandth of its rate.  rising: the rate is higher after the last tick than before the
    first.  each: calls of step() per epoch, where all come between the epochs.  told: the accuracy or the loss that it is stepped
    with, "" where it is neither.  mode: of what it waits for, min or max."""

    name: str
    ticks: int
    early: int
    within: int
    end: int | None = None
    rising: bool = False
    each: int = 0
    told: str = ""
    mode: str = ""


@dataclass(frozen=True)
class TwinsSeen:
    """Two equal schedulers of one optimizer. others: optimizers that step and have no scheduler."""

    name: str
    others: int


@dataclass(frozen=True)
class ClipSeen:
    """Gradient clipping. scaled: the gradients were still multiplied by the GradScaler's scale.  norm: before, median."""

    limit: float
    norm: float
    scaled: bool
    where: str = ""


@dataclass(frozen=True)
class NonfiniteSeen:
    """The first loss that was NaN or infinite. count: of calls of backward() by then.  before: the loss before it, None for the first.

    weights, output: the model's parameters were finite, and so was what it gave.  where: file:line of backward().
    """

    count: int
    value: float
    before: float | None
    weights: bool
    output: bool
    where: str = ""


@dataclass(frozen=True)
class BroadcastSeen:
    """A difference in a loss. given: shape of the predictions.  made: shape of the difference.  where: file:line of backward()."""

    given: tuple[int, ...]
    made: tuple[int, ...]
    where: str = ""


@dataclass(frozen=True)
class TermsSeen:
    """A term of the loss that is summed over the samples beside one that is averaged. weight: of the sum, the average's is 1.

    rest: what there is beyond the average, relative to it.  where: file:line of backward().
    """

    samples: int
    weight: float
    rest: float
    where: str = ""


@dataclass(frozen=True)
class AccuracySeen:
    """An accuracy that the script printed in or after its last evaluation pass, and a count of that pass.

    said: the line.  counted: right predictions, percent.  samples: that were counted.  off: the least distance between what
    was said and any share of right predictions that it can mean, points.  where: file:line of the print.  reading: for models
    of one output, what gives what was said.
    """

    said: str
    counted: float
    samples: int
    off: float
    where: str = ""
    reading: str = ""


@dataclass(frozen=True)
class DistributedSeen:
    """Several processes. world: how many.  wrapped: a DistributedDataParallel was built.  through, bypassed: training
    forwards through it, and of its module past it.  sampler_epochs: for each training loader with a shuffling
    DistributedSampler, the sampler's epoch at the start of each pass."""

    world: int
    wrapped: bool
    through: int
    bypassed: int
    sampler_epochs: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class SpectralSeen:
    """A layer under spectral normalization in an evaluation that came before any forward pass in training mode. norm: largest
    singular value of the weight in use (1 is right).  where: file:line of the model's call."""

    name: str
    norm: float
    where: str = ""


@dataclass(frozen=True)
class TeacherSeen:
    """A model that the loop calls in its training passes, each time in train mode, and that nobody trains or averages. calls: in
    those passes.  moved: by how many deviations its BatchNorm means had moved at the third.  where: file:line of the first call."""

    name: str
    calls: int
    batchnorms: int
    dropouts: int
    moved: float = 0.0
    where: str = ""


@dataclass(frozen=True)
class AnswersSeen:
    """Answers of a model that nobody trains, with a number for each class, as the one that trains gives. samples: of the training
    passes.  right: share of them.  chance: share of the most frequent class.  where: file:line of the first call."""

    name: str
    samples: int
    right: float
    chance: float
    where: str = ""


@dataclass(frozen=True)
class LoadedSeen:
    """Weights of the model that load_state_dict() brought before the first step. lost: those that were others by then.  where: file:line
    of the call that brought these."""

    weights: int
    lost: int
    where: str = ""


@dataclass(frozen=True)
class ReloadedSeen:
    """The rate of an optimizer as built, and as its loaded state has it, where a schedule begins anew over that. where: of the load."""

    built: float
    loaded: float
    where: str = ""


@dataclass(frozen=True)
class AverageSeen:
    """Weights that are evaluated in place of the trained ones and follow them. taken: share of the way to them that a step takes
    in (1 - decay).  reached: how far they are from the start, over how far the trained ones are.  per_epoch: it is moved once per epoch, not
    at each step."""

    taken: float
    reached: float
    per_epoch: bool = False


@dataclass(frozen=True)
class SlicesSeen:
    """Steps whose inputs were cut out of one larger tensor, by a loop without loaders. places: different ones among them.  parts: of
    this size the tensor has.  changes: steps before which something was written into it."""

    steps: int
    places: int
    parts: int
    changes: int


@dataclass(frozen=True)
class Moment:
    """Something that happened, in its order. kind: one of MOMENTS.  within: training, evaluation, other, or "" outside of all
    passes.  number: of that pass."""

    kind: str
    within: str
    number: int
