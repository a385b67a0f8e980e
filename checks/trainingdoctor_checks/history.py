"""Patterns in the curves of a finished run. A curve has many causes: these rank candidates, and what else stands explains them."""

from __future__ import annotations

import math
from statistics import fmean, median
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.history.curves import LearningCurves

MEMORISES = (
    "augmentation.*",
    "decay.missing",
    "decay.too_weak",
    "data.subset",
    "data.duplicates",
    "labels.noise",
    "regularization.*",
)
JUMPS = (
    "schedule.*",
    "lr.*",
    "loop.scheduler_never_stepped",
    "batchnorm.small_batch",
    "optimizer.adam_on_sgd_recipe",
    "epochs.too_few",
)
MISMATCH = (
    "batchnorm.*", "normalization.*", "augmentation.on_evaluation", "labels.train_eval_mismatch", "dropout.in_eval",
    "loop.train_mode_in_evaluation", "data.channel_order", "data.dtype", "model.mode_dependent",
)  # fmt: skip
CHANCE = (
    "lr.*",
    "labels.*",
    "loss.*",
    "optimizer.*",
    "loop.*",
    "init.*",
    "model.*",
    "batchnorm.*",
    "data.*",
    "decay.too_strong",
    "schedule.*",
)
NONFINITE = (
    "lr.*",
    "loss.*",
    "precision.*",
    "init.*",
    "data.nonfinite",
    "clip.*",
    "schedule.warmup_missing",
    "batchnorm.*",
)


@check("history.memorises", cost="probe", explained_by=MEMORISES)
def memorises(
    learning_curves: LearningCurves, *, train: float = 90.0, gap: float = 15.0, fine: float = 85.0, many: int = 50
) -> Verdicts:
    """The training samples are learned by heart, the test samples are not.

    What it does: compares training and test accuracy in the last tenth of a finished run.
    Why it costs accuracy: what tells the training samples apart is not what tells the classes apart.
    Remedy: augmentation first, then weight decay; then look for training data that is missing, or labels that are wrong.
    Thresholds: at least 90 % in training, and 15 points less in the test, which is under 85 %. ResNet-110 on CIFAR-10
    ends with a gap of 6.5 points (He et al. 2015). With 50 classes or more, where that is known, twice the gap: ResNets
    on CIFAR-100 end at 99.9 % in training and 70 to 78 % in the test.
    Measured: ResNet-20 without augmentation, 10 epochs: 95.3 % in training, 82.4 % in the test, 1.8 points lost
    (benchmarks/results/anatomy-resnet20.md).
    """
    end = _end(learning_curves)
    if end is None:
        return
    train_end, test_end = end
    usual = gap if (learning_curves.classes or 10) < many else 2 * gap
    if train_end < train or train_end - test_end < usual or test_end > fine:
        yield Note(f"ends at {train_end:.1f} % in training and {test_end:.1f} % in the test")
        return
    yield warning(
        f"The run ends at {train_end:.1f} % in training and {test_end:.1f} % in the test: it memorises.",
        "look for, in this order: no or weak augmentation, no weight decay, too little data, wrong labels"
        + (
            ""
            if learning_curves.classes
            else "; on a data set of 100 classes such a gap is usual, on one of ten it is not"
        ),
        where=learning_curves.source,
        confidence=0.6,
        train=train_end,
        test=test_end,
    )


@check("history.jumps", cost="probe", explained_by=JUMPS)
def jumps(learning_curves: LearningCurves, *, points: float = 2.0, decayed: float = 0.1, least: int = 8) -> Verdicts:
    """The test accuracy still jumps from epoch to epoch at the end of the run.

    What it does: takes the median distance of the test accuracy from the mean of its two neighbours in the last third of
    the run: a curve that only rises does not jump.
    Why it costs accuracy: with a rate that has not come down the weights keep moving about a minimum; the last epoch is
    then as good as chance lets it be, and several points under what a decayed rate reaches.
    Remedy: a schedule that ends near zero; then a lower rate, larger batches for BatchNorm.
    Thresholds: 2 points in the median, over at least 8 epochs, unless the reported rate ends at a tenth of its peak or
    less. A test set of 1,000 samples alone makes about 1 point (binomial).
    Measured: ResNet-20 with a constant rate, 10 epochs: 18.6 points lost (benchmarks/results/anatomy-resnet20.md).
    """
    tests, rates = learning_curves.of("test_accuracy"), learning_curves.of("rate")
    end = tests[-max(5, len(tests) // 3) :]
    if len(tests) < least or not all(map(math.isfinite, end)):
        return
    step = median(abs(b - (a + c) / 2) for a, b, c in zip(end, end[1:], end[2:], strict=False))
    low = bool(rates) and max(rates) > 0 and rates[-1] <= decayed * max(rates)
    if step < points or low:
        yield Note(f"the test accuracy moves by {step:.2g} points an epoch at the end")
        return
    yield warning(
        f"At the end the test accuracy still jumps by {step:.1f} points from one epoch to the next, between {min(end):.1f} and {max(end):.1f} %.",
        "let the rate decay to almost zero by the end of the run: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs), "
        "stepped once an epoch; where it does, lower its peak",
        where=learning_curves.source,
        confidence=0.6,
        step=step,
    )


@check("history.evaluation_far_below", cost="probe", explains=("history.memorises",), explained_by=MISMATCH)
def evaluation_far_below(
    learning_curves: LearningCurves, *, train: float = 80.0, gap: float = 35.0, test: float = 55.0
) -> Verdicts:
    """The training goes well and the test does not at all: they are not the same problem.

    What it does: compares training and test accuracy in the last tenth of a finished run.
    Why it costs accuracy: memorising costs 10 to 20 points; more than that is a model or data that differ in evaluation.
    Remedy: the same normalization, channel order and labels on both sides; eval() before the test; BatchNorm statistics
    that have been updated.
    Thresholds: 80 % in training, 35 points less in the test, which is under 55 %.
    Measured: ResNet-20 with test images that are not normalized: 85.8 % in training, 33.8 % in the test; with BatchNorm
    momentum 0.001: 85.8 and 18.9 % (benchmarks/results/anatomy-resnet20.md).
    """
    end = _end(learning_curves)
    if end is None:
        return
    train_end, test_end = end
    if train_end >= train and train_end - test_end >= gap and test_end <= test:
        yield warning(
            f"The run ends at {train_end:.1f} % in training and only {test_end:.1f} % in the test: more than memorising explains.",
            "compare what the test does differently: its normalization and channel order, its labels, model.eval(), and whether "
            "BatchNorm's running statistics follow the training",
            where=learning_curves.source,
            confidence=0.7,
            train=train_end,
            test=test_end,
        )


@check("history.chance", cost="probe", explained_by=CHANCE)
def chance(learning_curves: LearningCurves, *, spread: float = 1.0, off: float = 0.7, least: int = 3) -> Verdicts:
    """The run stays at chance: nothing was learned.

    What it does: looks whether the accuracy stays in one place, at 100 % over a whole number of classes.
    Why it costs accuracy: all of it.
    Remedy: one batch first: can the model learn 32 samples at all? Then rate, labels, loss, gradients.
    Thresholds: all epochs but the first within 1 point, and within 0.7 points of 100 / k for 2 to 1,000 classes with
    k = 2, 3, 4, 5, 10, 20, 50, 100, 200, 1000; at least 3 epochs.
    Measured: ResNet-20 with BatchNorm in eval mode in training, with constant weights, and with all labels shuffled ends
    at 10 to 12 % (benchmarks/results/anatomy-resnet20.md).
    """
    found = learning_curves.of("train_accuracy") or learning_curves.of("test_accuracy")
    late = [a for a in found[1:] if math.isfinite(a)]
    if len(late) + 1 < least:
        return
    middle = median(late)
    classes = next(
        (k for k in (2, 3, 4, 5, 10, 20, 50, 100, 200, 1000) if abs(middle - 100 / k) <= off * min(1.0, 10 / k)), None
    )
    if max(late) - min(late) <= spread and classes is not None:
        yield critical(
            f"The accuracy stays at {middle:.1f} %, which is chance for {classes} classes: nothing was learned.",
            "train on one batch until it is learned by heart; where that fails, look at the rate, the loss and the gradients, "
            "else at the labels",
            where=learning_curves.source,
            confidence=0.7,
            accuracy=middle,
        )


@check("history.nonfinite", cost="probe", explained_by=NONFINITE)
def nonfinite(learning_curves: LearningCurves, *, rise: float = 1.5) -> Verdicts:
    """A loss became NaN or infinite.

    What it does: finds the first epoch with such a loss, and looks at what led up to it.
    Why it costs accuracy: all that was learned is lost.
    Remedy: a lower rate or a warm-up where the loss rose before; otherwise the sample, the logarithm or the half
    precision that made it.
    Thresholds: the loss of the epoch before is called rising at 1.5 times its lowest.
    Measured: no measurement yet.
    """
    losses = [
        (r.epoch, r.train_loss if r.train_loss is not None else r.test_loss, r.rate) for r in learning_curves.rows
    ]
    bad = next((i for i, (_, loss, _) in enumerate(losses) if loss is not None and not math.isfinite(loss)), None)
    if bad is None:
        return
    epoch, loss, rate = losses[bad]
    before = [x for _, x, _ in losses[:bad] if x is not None]
    rising = bool(before) and before[-1] >= rise * min(before)
    led = f"after {before[-1]:.3g}" if before else "from the start"
    yield critical(
        f"In epoch {epoch:g} the loss is {loss}, {led}{', rising before' if rising else ''}{f', at a rate of {rate:g}' if rate else ''}.",
        "lower the rate, or warm it up"
        if rising
        else "look at the first batch with such a loss: torch.autograd.set_detect_anomaly(True)",
        where=learning_curves.source,
        confidence=0.8,
        epoch=epoch,
    )


@check(
    "history.unfinished",
    cost="probe",
    explained_by=("epochs.too_few", "lr.too_low", "schedule.*", "optimizer.no_momentum"),
)
def unfinished(learning_curves: LearningCurves, *, gain: float = 2.0, least: int = 10) -> Verdicts:
    """The test accuracy was still rising when the run ended.

    What it does: compares the mean test accuracy of the last tenth of the run with that of the tenth before.
    Why it costs accuracy: what more epochs, or a decay of the rate, would have added.
    Remedy: more epochs, the schedule being stretched along.
    Thresholds: 2 points from the last tenth but one to the last; at least 10 epochs. An info: a one-cycle schedule gains
    that much in its last tenth by itself (measured: 3 points, benchmarks/results/reference.json).
    Measured: ResNet-110 in 15, then 30 epochs: 87.3, then 88.9 % (benchmarks/results/reference.md).
    """
    tests = [a for a in learning_curves.of("test_accuracy") if math.isfinite(a)]
    if len(tests) < least:
        return
    tenth = max(2, len(tests) // 10)
    gained = fmean(tests[-tenth:]) - fmean(tests[-2 * tenth : -tenth])
    if gained >= gain:
        yield info(
            f"The test accuracy rose by {gained:.1f} points in the last tenth of the run: it was not over.",
            "more epochs, and a schedule of that length",
            where=learning_curves.source,
            gained=gained,
        )


def _end(curves: LearningCurves) -> tuple[float, float] | None:
    """Mean training and test accuracy of the last tenth, at least of the last epoch; None where one is not finite or not there."""
    pairs = curves.pairs()
    end = pairs[-max(1, len(pairs) // 10) :]
    if not end or not all(math.isfinite(v) for pair in end for v in pair):
        return None
    return fmean(train for train, _ in end), fmean(test for _, test in end)


CHECKS = (memorises, jumps, evaluation_far_below, chance, nonfinite, unfinished)
