"""`LoopTrace`: what an observed training loop did, as plain records."""

from __future__ import annotations

from dataclasses import dataclass

from trainingdoctor.observing.seen import (
    AccuracySeen,
    AnswersSeen,
    AverageSeen,
    BroadcastSeen,
    ClipSeen,
    DistributedSeen,
    LoadedSeen,
    LoaderSeen,
    Moment,
    NonfiniteSeen,
    OptimizerSeen,
    PassSeen,
    ReloadedSeen,
    SchedulerSeen,
    SlicesSeen,
    SpectralSeen,
    StepSeen,
    TeacherSeen,
    TermsSeen,
    TwinsSeen,
)

# forward passes in train and in eval mode, backward(), cleared gradients, steps of optimizers and of schedulers.
MOMENTS = ("forward_train", "forward_eval", "backward", "zero_grad", "step", "scheduler")


@dataclass(frozen=True)
class LoopTrace:
    """A training loop, observed for some dozens of steps.

    sensitive: the model has layers that act otherwise in evaluation (dropout, BatchNorm).  backwards, steps_made: how
    many there were.  forwards: of the model in training passes.  built: optimizers that were made.  epochs: as
    planned.  ended: the script ended by itself.  backward_at: file:line of the last call.  saves_best: place of a checkpoint that is saved where a
    comparison with the best evaluation result comes out well, "" where none.  epoch_loop: file:line of the loop over epochs.
    stepped_later: the condition on what the loop counts, under which it steps a scheduler; "" where there is none.  rate_by_hand:
    place where the rate is written, where a scheduler was not stepped; "" where none is.
    evaluates_later: place behind the loop where other data is gone through than is trained on, "" where none.
    moments: what happened, in its order, up to some thousands.  spectral: layers of a model that was evaluated first.
    teachers: models that nobody trains, in train mode.  average: of the weights, where one alone is evaluated.
    reordered: batches whose targets the loss got in another order than the loader's, and the model its inputs in the loader's; 0
    where any kept its order.  unfed: BatchNorm layers of the average that is evaluated whose statistics are a new layer's, while
    those of the model that trains are not.  penalty: the weight decay that a penalty amounts to which the loop adds to its loss.  slices: that a
    loop without loaders trains on.  unmixed: shares of another sample in the samples of batches whose targets stayed their own.
    reseeded: passes that train and begin with the random state with which the one before began.
    mixed_wrongly: the same of batches whose own targets got that share.  answers: of other models that nobody trains, on the classes
    of the training.  loaded: weights that a checkpoint brought.  reloaded: the rate, by a loaded state.  on_one_batch: steps on the
    only batch that was taken from a loader of several.
    """

    steps: tuple[StepSeen, ...] = ()
    passes: tuple[PassSeen, ...] = ()
    loaders: tuple[LoaderSeen, ...] = ()
    optimizers: tuple[OptimizerSeen, ...] = ()
    schedulers: tuple[SchedulerSeen, ...] = ()
    clips: tuple[ClipSeen, ...] = ()
    sensitive: bool = False
    backwards: int = 0
    built: int = 0
    epochs: int | None = None
    backward_at: str = ""
    saves_best: str = ""
    epoch_loop: str = ""
    stepped_later: str = ""
    rate_by_hand: str = ""
    evaluates_later: str = ""
    distributed: DistributedSeen | None = None
    accuracy: AccuracySeen | None = None
    moments: tuple[Moment, ...] = ()
    spectral: tuple[SpectralSeen, ...] = ()
    teachers: tuple[TeacherSeen, ...] = ()
    average: AverageSeen | None = None
    reordered: int = 0
    unmixed: tuple[float, ...] = ()
    reseeded: int = 0
    mixed_wrongly: tuple[float, ...] = ()
    unfed: int = 0
    penalty: float | None = None
    slices: SlicesSeen | None = None
    nonfinite: NonfiniteSeen | None = None
    broadcast: BroadcastSeen | None = None
    twins: TwinsSeen | None = None
    terms: TermsSeen | None = None
    answers: tuple[AnswersSeen, ...] = ()
    loaded: LoadedSeen | None = None
    reloaded: ReloadedSeen | None = None
    on_one_batch: int = 0

    @property
    def training_batches(self) -> int | None:
        """Of an epoch of the loader that feeds training; None where none was seen, or its length is not known."""
        return next((self.loaders[p.loader].batches for p in self.of("training")), None)

    def of(self, kind: str) -> tuple[PassSeen, ...]:
        """The passes of one kind."""
        return tuple(p for p in self.passes if p.kind == kind)
