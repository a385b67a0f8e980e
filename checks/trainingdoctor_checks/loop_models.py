"""Models beside the one that trains: teachers, and averages of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.pretraining import Pretraining
    from trainingdoctor.observing.seen import TeacherSeen
    from trainingdoctor.observing.trace import LoopTrace

HINTON = "Hinton et al. 2015, Distilling the Knowledge in a Neural Network, arXiv:1503.02531"
BEYER = "Beyer et al. 2022, Knowledge distillation: A good teacher is patient and consistent, arXiv:2106.05237"
AVERAGES = "https://pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema"


@check("loop.teacher_in_train_mode", references=(BEYER,))
def teacher_in_train_mode(loop_trace: LoopTrace) -> Verdicts:
    """A model that nobody trains is in train mode: a teacher, or frozen features.

    What it does: notes the mode of each other model that the loop calls in its training passes and no optimizer holds.
    Why it costs accuracy: its dropout is on, so that it answers at random; its BatchNorm layers normalize by the batch, and
    their running statistics move on data that it does not learn from.
    Remedy: teacher.eval() after it is loaded, and again where something calls train() on what holds it.
    Thresholds: all of at least three calls, with layers that act otherwise in train mode. Left out is what changes (averages of
    the weights, as mean teachers and momentum encoders, are in train mode in their papers) or starts as a copy of what trains.
    Measured: no measurement yet.
    """
    for seen in loop_trace.teachers:
        yield warning(
            f"{seen.name} is called in train mode in {seen.calls} training batches, and nobody trains it: {_effect(seen)}.",
            "teacher.eval() before the loop, where teacher is this model; and torch.no_grad() around its calls",
            where=seen.where,
            confidence=0.8,
            calls=seen.calls,
            moved=seen.moved,
        )
    if not loop_trace.teachers:
        yield Note("no other model is called in train mode")


@check(
    "loop.teacher_untrained", explains=("regularization.*", "loss.*", "metric.wrong", "history.*"), references=(HINTON,)
)
def teacher_untrained(
    loop_trace: LoopTrace, *, least: int = 200, gain: float = 0.05, one_class: float = 0.9
) -> Verdicts:
    """A teacher that knows nothing: its answers are no better than a guess.

    What it does: holds what each other model, which nobody trains, answers in training batches against the classes of these.
    Why it costs accuracy: the student is drawn to what a random net says. It is what a checkpoint that was not found, keys that did not
    match under strict=False, or a load_state_dict() on another model leave behind.
    Remedy: load the teacher's weights, and evaluate it before the training.
    Thresholds: at 200 samples or more, a twentieth of the way from the share of the most frequent class to all; a random net that tells
    dark from bright images gets some hundredths. Left out are models that change or start as a copy of what trains (averages,
    momentum encoders), and those whose answers have another width than the student's (other classes, or features); batches that the
    loop changes before, and those of one class (labels that stand for none).
    Measured: no measurement yet.
    """
    for seen in loop_trace.answers:
        bar = seen.chance + gain * (1 - seen.chance)
        if seen.samples >= least and seen.right < bar and seen.chance < one_class:
            yield warning(
                f"{seen.name}, which nobody trains, gives the right class for {seen.right:.1%} of {seen.samples:,} training samples, and the most "
                f"frequent class alone gives {seen.chance:.1%}: its weights have not been trained, or not for these classes.",
                "print(teacher.load_state_dict(torch.load(path)))  # before the loop, without a try around it; and evaluate the teacher once",
                where=seen.where,
                confidence=0.8,
                right=seen.right,
                chance=seen.chance,
            )
        else:
            yield Note(f"{seen.name} gives the right class for {seen.right:.1%} of {seen.samples:,} training samples")


def _effect(seen: TeacherSeen) -> str:
    said = []
    if seen.batchnorms:
        said.append(f"its {seen.batchnorms} BatchNorm layers take the statistics of each batch, and remember them")
    if seen.dropouts:
        said.append(f"its {seen.dropouts} dropout layers are on")
    return ", and ".join(said)


@check("loop.average_stuck", explains=("metric.wrong", "history.*"), references=(AVERAGES,))
def average_stuck(loop_trace: LoopTrace, pretraining: Pretraining, *, most: float = 0.5) -> Verdicts:
    """The average of the weights that is evaluated hardly moves.

    What it does: compares one matrix of what is evaluated with the same of what trains, at two evaluations, and takes from them
    the share of the way between both that the average goes at a step (1 - decay); then multiplies it out over the run.
    Why it costs accuracy: a decay of 0.9999 forgets within 10,000 steps: in a shorter run the average is still made of the
    random start, and what was learned is not in it.
    Remedy: a decay whose 1 / (1 - decay) is a tenth of the run's steps or less, or one that grows as min(decay, (1 + t) / (10 + t)).
    Thresholds: half or more of the start is left at the end of the run, by its steps, or by its epochs where the average is updated once in each, and the trained weights themselves are not evaluated. An info where the start is pretrained.
    Measured: no measurement yet.
    """
    t, seen = loop_trace, loop_trace.average
    batches = t.training_batches
    if seen is None or not batches or not t.epochs:
        return
    steps, each = (t.epochs, "epoch") if seen.per_epoch else (batches * t.epochs, "step")
    left = (1 - min(seen.taken, 1.0)) ** steps
    if left < most:
        yield Note(f"the average that is evaluated takes in {seen.taken:.2g} of the way at each {each}")
        return
    say = info if pretraining.done else warning
    yield say(
        f"What is evaluated takes in {seen.taken:.1g} of the trained weights {'once per epoch' if seen.per_epoch else 'at a step'}: after the "
        f"{steps:,} {each}s of the run {left:.0%} of it is still the start.",
        f"{'average.update(model) behind each optimizer.step(); or ' if seen.per_epoch else ''}a decay of {max(1 - 10 / steps, 0.0):.4g} or less, or one that grows: min(decay, (1 + t) / (10 + t)) at step t",
        where="model",
        taken=seen.taken,
        left=left,
    )


@check("loop.average_statistics", explains=("metric.wrong", "batchnorm.*", "history.*"), references=(AVERAGES,))
def average_statistics(loop_trace: LoopTrace) -> Verdicts:
    """The average of the weights is evaluated with the BatchNorm statistics of a new layer.

    What it does: looks at the BatchNorm layers of what is evaluated in place of the trained model.
    Why it costs accuracy: parameters() has no running statistics: they stay at mean 0 and variance 1, with which the averaged
    weights were never trained.
    Remedy: copy the buffers, too, or torch.optim.swa_utils.update_bn(train_loader, average) before the evaluation.
    Thresholds: none; layers in evaluation mode with mean 0 and variance 1 to the last bit, while those of the model that trains
    have moved.
    Measured: no measurement yet.
    """
    unfed = loop_trace.unfed
    if unfed:
        yield critical(
            f"{unfed} BatchNorm layers of the average that is evaluated still have the mean 0 and variance 1 that they were made with.",
            "for a, b in zip(average.buffers(), model.buffers()): a.copy_(b), after each update; or update_bn(train_loader, average)",
            where="model",
            layers=unfed,
        )


CHECKS = (teacher_in_train_mode, teacher_untrained, average_stuck, average_statistics)
