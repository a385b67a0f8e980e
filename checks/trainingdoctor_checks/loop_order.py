"""What a training loop is given, and when it steps what: data of the wrong side, schedulers, optimizers made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning
from trainingdoctor_checks._schedule_faults import Fault, fault_of

if TYPE_CHECKING:
    from trainingdoctor.measure.schedule import ScheduleTrace
    from trainingdoctor.observing.trace import LoopTrace

ZHANG = "Zhang et al. 2017, Understanding deep learning requires rethinking generalization, arXiv:1611.03530"
ORDER = "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"


@check("loop.trains_on_evaluation_data", explains=("data.leakage", "loop.evaluates_on_training_data", "data.subset"))
def trains_on_evaluation_data(loop_trace: LoopTrace) -> Verdicts:
    """The loop trains on the evaluation split.

    What it does: reads what the data set of the training loader says of itself (torchvision's `train`, `split`).
    Why it costs accuracy: the training split goes unused, and an evaluation on what was trained on says nothing.
    Remedy: train=True for the data set of the training loader.
    Thresholds: none; train=False or a split called test, val or validation.
    Measured: no measurement yet.
    """
    t = loop_trace
    for seen in t.of("training")[:1]:
        loader = t.loaders[seen.loader]
        if loader.train_split is False:
            yield critical(
                f"The training passes go through {loader.described}, which says of itself that it is the evaluation split.",
                "train=True for the data set of the training loader",
                where=seen.where,
            )


@check("loop.evaluates_on_training_data", explains=("data.leakage", "augmentation.on_evaluation"))
def evaluates_on_training_data(loop_trace: LoopTrace) -> Verdicts:
    """What is called evaluation goes through the training data.

    What it does: compares the data sets (with the indices of subsets and samplers) of training and evaluation passes.
    Why it costs accuracy: the number that is reported is the training accuracy, and hides every overfitting.
    Remedy: an evaluation loader over data that is not trained on.
    Thresholds: no evaluation on any other data after the first training pass, nor a loader of such behind the loop.
    Measured: no measurement yet.
    """
    t = loop_trace
    trained = {t.loaders[p.loader].dataset for p in t.of("training")}
    first = next((i for i, p in enumerate(t.passes) if p.kind == "training"), len(t.passes))
    evaluations = [p for p in t.passes[first:] if p.kind == "evaluation" and p.eval_mode]
    if t.evaluates_later:
        yield Note(f"other data than the training's is gone through behind the loop ({t.evaluates_later})")
    elif evaluations and all(t.loaders[p.loader].dataset in trained for p in evaluations):
        yield warning(
            "All evaluation passes go through the data that is trained on.",
            "a loader over the test or validation split for the evaluation",
            where=evaluations[0].where,
        )
    elif evaluations:
        yield Note(f"{len(evaluations)} evaluation passes over other data than the training's")


@check("loop.best_checkpoint_on_test")
def best_checkpoint_on_test(loop_trace: LoopTrace) -> Verdicts:
    """The best model is chosen by its accuracy on the test split.

    What it does: notes where a checkpoint is saved under a comparison with the best result so far, and which split the only
    evaluation goes through.
    Why it costs accuracy: none, but the number that is reported is optimistic by about half a point (the maximum over
    many noisy evaluations).
    Remedy: choose on a validation split, or report the last epoch.
    Thresholds: an info, because nearly every public CIFAR-10 script does it.
    Measured: no measurement yet.
    """
    t = loop_trace
    splits = {t.loaders[p.loader].train_split for p in t.of("evaluation")}
    if t.saves_best and splits == {False}:
        yield info(
            "The checkpoint with the best test accuracy is kept: its accuracy is optimistic.",
            "choose on a part of the training data that is left out of training, or report the last epoch",
            where=t.saves_best,
        )


@check("loop.scheduler_never_stepped", explains=("schedule.*",), references=(ORDER,))
def scheduler_never_stepped(loop_trace: LoopTrace) -> Verdicts:
    """There is a scheduler, and nobody steps it.

    What it does: notes whether anything changes in the schedulers over the first epochs.
    Why it costs accuracy: as no schedule at all.
    Remedy: scheduler.step() at the end of each epoch.
    Thresholds: two training passes without a step of any scheduler of the optimizer. Where another one is stepped, as
    in a warm-up with a scheduler of its own, where step() stands under a condition on the epoch that was not met yet, and where the
    script writes the rate itself, an info.
    Measured: no measurement yet.
    """
    t = loop_trace
    idle = [s for s in t.schedulers if not s.ticks]
    if len({s.epoch for s in t.steps}) < 2 or not idle:
        return
    meant = t.stepped_later or t.rate_by_hand
    say = warning if len(idle) == len(t.schedulers) and not meant else info
    later = f"; its step() stands under {t.stepped_later}" if t.stepped_later else ""
    later += f"; {t.rate_by_hand} sets the rate by hand" if t.rate_by_hand else ""
    yield say(
        f"{', '.join(s.name for s in idle)} was not stepped in the {len(t.of('training'))} epochs that were watched{later}.",
        "scheduler.step() at the end of each epoch, after the optimizer's steps",
        where="scheduler",
    )


@check("loop.scheduler_every_batch", explains=("schedule.*",), references=(ORDER,))
def scheduler_every_batch(loop_trace: LoopTrace, *, early: float = 0.1) -> Verdicts:
    """A scheduler that counts epochs is stepped after every batch.

    What it does: notes whether the scheduler changes between two steps of a pass, and where its end lies.
    Why it costs accuracy: a schedule for 200 epochs is over after 200 batches.
    Remedy: scheduler.step() once per epoch, or T_max and milestones in steps.
    Thresholds: stepped per batch, and the end that it was built for lies in the first tenth of the run, unless the
    rate rises: a warm-up is meant to be over soon. StepLR and ExponentialLR end where a thousandth of the rate is left.
    Measured: no measurement yet.
    """
    t = loop_trace
    batches = t.training_batches
    for s in t.schedulers:
        if s.within <= s.ticks / 2 or s.end is None or s.rising or not batches or not t.epochs:
            continue
        if s.end < early * batches * t.epochs:
            yield critical(
                f"{s.name} is stepped after every batch, and comes to its end in {s.end} steps: it is over after "
                f"{s.end / batches:.1f} of {t.epochs} epochs.",
                "scheduler.step() once per epoch, outside of the loop over the batches",
                where="scheduler",
                end=s.end,
                batches=batches,
            )


@check("loop.scheduler_twice", explains=("schedule.*", "lr.*", "epochs.*"), references=(ORDER,))
def scheduler_twice(
    loop_trace: LoopTrace, schedule_trace: ScheduleTrace, *, least: float = 0.5, most: float = 1.1
) -> Verdicts:
    """A scheduler is stepped several times per epoch.

    What it does: counts the calls of each scheduler between two training passes, simulates the run with as many, and compares
    them with the end that the scheduler was built for.
    Why it costs accuracy: a loop over phases that steps in both of them is through the schedule at half of the run; a
    cosine climbs again after that.
    Remedy: scheduler.step() once per epoch, after the training phase.
    Thresholds: as many calls in every epoch that was watched, and either an end that fits the run at one call per epoch (at half
    of it to a tenth beyond it), or a simulated schedule that is at fault. Else an info: a schedule may be built for two calls.
    Measured: no measurement yet.
    """
    trace = schedule_trace
    for s in loop_trace.schedulers:
        if s.each < 2 or trace.each < 2:
            continue
        fits = s.end is not None and least * trace.epochs <= s.end <= most * trace.epochs
        say = warning if fits or fault_of(trace) is not Fault.NONE else info
        ending = (
            ""
            if s.end is None
            else f", and its end lies at call {s.end}, in epoch {s.end / s.each:.0f} of {trace.epochs}"
        )
        yield say(
            f"{s.name} is stepped {'twice' if s.each == 2 else f'{s.each} times or more'} per epoch{ending}.",
            "scheduler.step() once per epoch: under `if phase == 'train':`, or after the loop over the phases",
            where="scheduler",
            each=s.each,
            end=s.end,
        )


@check("schedule.step_order", references=(ORDER,))
def step_order(loop_trace: LoopTrace) -> Verdicts:
    """The scheduler is stepped before the optimizer.

    What it does: notes how often schedulers were stepped before the first optimizer step.
    Why it costs accuracy: the first value of the schedule is skipped, and every change comes an epoch early.
    Remedy: scheduler.step() after the optimizer's steps.
    Thresholds: an info: it shifts the schedule by one call, which costs next to nothing.
    Measured: no measurement yet.
    """
    for s in loop_trace.schedulers:
        if s.early:
            yield info(
                f"{s.name} was stepped {s.early} times before the first step of the optimizer.",
                "scheduler.step() at the end of the epoch, after the optimizer's steps",
                where="scheduler",
            )


@check("optimizer.state_lost", explains=("schedule.*", "loop.scheduler_never_stepped"))
def state_lost(loop_trace: LoopTrace) -> Verdicts:
    """The optimizer is made anew in every epoch.

    What it does: notes when each optimizer makes its first step, and over which parameters.
    Why it costs accuracy: momentum and the moments of Adam start from zero each time, and a scheduler drives one that
    is gone.
    Remedy: make the optimizer once, before the loop.
    Thresholds: optimizers over the same parameters that begin in different epochs; an info for one without a memory.
    Measured: no measurement yet.
    """
    t = loop_trace
    for number in sorted({o.parameters for o in t.optimizers}):
        same = [o for o in t.optimizers if o.parameters == number and o.steps]
        if len({o.first_epoch for o in same}) >= 2:
            last = same[-1]
            say = warning if last.stateful else info
            yield say(
                f"{len(same)} optimizers ({last.name}) over the same parameters in {len(t.of('training'))} epochs: what one has "
                "gathered is lost with the next.",
                "optimizer = ... once, before the loop over the epochs",
                where=last.where,
                optimizers=len(same),
            )


@check("loop.targets_reordered", explains=("loss.not_learning", "lr.*"), references=(ZHANG,))
def targets_reordered(loop_trace: LoopTrace, *, least: int = 3) -> Verdicts:
    """The loop puts the targets of a batch into another order, and its inputs not.

    What it does: compares what the loss is given with what the loader gave, batch by batch.
    Why it costs accuracy: each input is trained towards another one's label: a net learns that by heart (Zhang et al. 2017),
    and predicts no better than chance.
    Remedy: one order for both: order = torch.randperm(len(y)); x, y = x[order], y[order].
    Thresholds: `least` batches, the inputs as the loader gave them, and none whose targets kept their order: where two losses
    are mixed, as in mixup, one does. Batches so small or so uniform that they may keep it by chance do not count.
    Measured: no measurement yet.
    """
    t = loop_trace
    if t.reordered >= least:
        yield critical(
            f"In {t.reordered} batches the loss got the loader's targets in another order than its inputs.",
            "order = torch.randperm(len(y)); x, y = x[order], y[order]: one order for both, or none",
            where=t.backward_at,
            batches=t.reordered,
        )


CHECKS = (
    trains_on_evaluation_data,
    evaluates_on_training_data,
    best_checkpoint_on_test,
    scheduler_never_stepped,
    scheduler_every_batch,
    scheduler_twice,
    step_order,
    state_lost,
    targets_reordered,
)
