"""Labels against inputs: unrelated, partly wrong, contradictory, or numbered differently in the two sets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.label_relation import LabelRelation
    from trainingdoctor.measure.overlap import Repeats

COATES = "Coates, Lee & Ng 2011, An analysis of single-layer networks in unsupervised feature learning, AISTATS"
ZHANG = "Zhang et al. 2017, Understanding deep learning requires rethinking generalization, arXiv:1611.03530"
NORTHCUTT = "Northcutt et al. 2021, Confident learning, arXiv:1911.00068"


@check(
    "labels.shuffled",
    cost="probe",
    explains=("labels.noise", "augmentation.too_strong", "loss.not_learning", "lr.*"),
    references=(ZHANG, COATES),
)
def shuffled(label_relation: LabelRelation, *, nothing: float = 3.0, clear: float = 8.0) -> Verdicts:
    """Labels and inputs have nothing to do with each other.

    What it does: fits a small classifier (ridge regression on features of image patches, a second) on samples without
    augmentation, and asks it about others of the same set and of the other one.
    Why it costs accuracy: a net learns random labels by heart (Zhang et al. 2017), and predicts no better than
    chance. It happens when inputs and labels are shuffled, sorted or filtered apart.
    Remedy: one index for both: images[order], labels[order].
    Thresholds: within 3 standard errors of guessing in the one set, and 8 above it in the other; where the classifier
    sees nothing in either, nothing is said. On CIFAR-10 with 5,000 samples of each set, both are 70 and more above
    guessing; with 60 % wrong labels the training set is 18 above, with shuffled ones within 2.
    Measured: no measurement yet.
    """
    r = label_relation
    for name, own, other in (("training", r.train, r.evaluation), ("evaluation", r.evaluation, r.train)):
        if own.z < nothing and other.z > clear:
            yield critical(
                f"A small classifier predicts {own.accuracy:.1%} of {own.samples:,} {name} labels that it was not shown, where guessing gives "
                f"{own.chance:.1%} and the other set's labels {other.accuracy:.1%}: the {name} labels have nothing to do with the inputs.",
                "order = torch.randperm(n); images, labels = images[order], labels[order]: one order for both, and the same for filters and sorts",
                where="train_loader.dataset" if name == "training" else "val_loader.dataset",
                accuracy=own.accuracy,
                other=other.accuracy,
            )
            return
    yield Note(
        f"a small classifier is {r.train.z:.0f} standard errors above guessing on training labels, {r.evaluation.z:.0f} on evaluation labels"
    )


@check("labels.noise", cost="probe", explains=("lr.too_high", "loss.not_learning"), references=(NORTHCUTT, COATES))
def noise(label_relation: LabelRelation, *, clear: float = 4.0, least: float = 0.1, related: float = 10.0) -> Verdicts:
    """A share of the training labels is wrong.

    What it does: asks a small classifier, fitted on training samples, about other training samples and about
    evaluation samples. Where training labels are wrong, it seems to do worse on them than on evaluation labels; the
    two figures give the share.
    Why it costs accuracy: the net first learns the rule and then the exceptions by heart.
    Remedy: look at the samples on which trained nets disagree with the label (confident learning); fewer epochs,
    label smoothing, or a loss that bears noise.
    Thresholds: 4 standard errors and a share of 10 %. On CIFAR-10, 5,000 samples of each set and uniform noise of 0,
    5, 20, 30, 40 and 60 %, the estimates are -4, 0, 18, 30, 38 and 53 % (benchmarks/results/data-checks.md); 20 % is at
    4 to 6 standard errors, 10 % at 2 to 3: not found. On the 1,797 digits of scikit-learn 20 % is always found, 10 %
    half of the time. Training sets whose images are read differently, or still vary, or are noisier, are not judged:
    what makes images harder looks the same. Wrong labels in one class only are too few to be seen.
    Measured: no measurement yet.
    """
    r = label_relation
    skill = r.between.skill
    share = 1 - r.train.skill / skill if skill > 0 else 0.0
    z = (r.between.accuracy - r.train.accuracy) / max(math.hypot(r.between.error, r.train.error), 1e-9)
    harder = r.evaluation.accuracy > r.train.accuracy
    if r.comparable and r.between.z > related and z >= clear and share >= least and harder and r.train.z >= 3:
        yield warning(
            f"A small classifier fitted on training samples agrees with {r.train.accuracy:.1%} of other training labels and with {r.between.accuracy:.1%} of evaluation labels "
            f"({z:.0f} standard errors): about {min(share, 1.0):.0%} of the training labels look wrong.",
            "Look at samples that cross-validated nets disagree with (cleanlab.filter.find_label_issues); until then nn.CrossEntropyLoss(label_smoothing=0.1) and fewer epochs.",
            where="train_loader.dataset",
            confidence=0.8,
            share=share,
            train=r.train.accuracy,
            evaluation=r.between.accuracy,
        )
    else:
        yield Note(
            f"a small classifier agrees with {r.train.accuracy:.1%} of training and {r.between.accuracy:.1%} of evaluation labels"
        )


@check("labels.train_eval_mismatch", cost="probe", references=(COATES,))
def train_eval_mismatch(label_relation: LabelRelation, *, clear: float = 6.0, kept: float = 0.5) -> Verdicts:
    """The classes are numbered differently in training and evaluation.

    What it does: asks a small classifier, fitted on training samples, about evaluation samples, and looks whether
    another naming of the classes (found on half of them) makes its answers right on the other half.
    Why it costs accuracy: the net learns well and is measured with other names. ImageFolder numbers the folders that
    it finds: one that is missing shifts all after it.
    Remedy: the same class_to_idx for both sets.
    Thresholds: training labels 8 standard errors above guessing, two classes renamed and more, an accuracy 6 standard errors above that without, and at least half of
    the skill that the evaluation set's own classifier has. On CIFAR-10 with nothing renamed the best naming is the
    given one.
    Measured: no measurement yet.
    """
    r = label_relation
    error = max(math.hypot(r.relabelled.error, r.between.error), 1e-9)
    z = (r.relabelled.accuracy - r.between.accuracy) / error
    if r.moved >= 2 and z >= clear and r.train.z > 8 and r.relabelled.skill >= kept * r.evaluation.skill:
        yield critical(
            f"A small classifier fitted on training samples is right on {r.between.accuracy:.1%} of the evaluation samples, and on {r.relabelled.accuracy:.1%} once "
            f"{r.moved} of {r.classes} classes are renamed: the two sets number their classes differently.",
            "val_set.class_to_idx == train_set.class_to_idx must hold: give both sets the same list of classes",
            where=("train_loader.dataset", "val_loader.dataset"),
            moved=r.moved,
            given=r.between.accuracy,
            renamed=r.relabelled.accuracy,
        )


@check("labels.conflicting", cost="probe", explains=("labels.noise",), references=(NORTHCUTT,))
def conflicting(repeats: Repeats, *, hint: float = 0.001, most: float = 0.02) -> Verdicts:
    """Equal samples carry different labels.

    What it does: finds training samples that are equal byte for byte, and compares their labels.
    Why it costs accuracy: no net can be right on both: the classes overlap.
    Remedy: decide on one label for each, or drop them.
    Thresholds: 2 % of the samples warn, 0.1 % informs. CIFAR-10 has none. Annotations of several people, kept as
    several rows, look the same: a method.
    Measured: no measurement yet.
    """
    share = repeats.conflicting
    if share < hint:
        yield Note("equal samples have equal labels")
        return
    say = warning if share >= most else info
    yield say(
        f"{share:.1%} of {repeats.read:,} training samples equal another one that has a different label.",
        "Keep one label for each: the majority, or drop the sample.",
        where="train_loader.dataset",
        confidence=0.8,
        share=share,
    )


CHECKS = (shuffled, noise, train_eval_mismatch, conflicting)
