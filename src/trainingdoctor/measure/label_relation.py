"""Have inputs and labels to do with each other? A small classifier within and between training and evaluation set."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.probe import Probe, ProbeFeatures, Score, fit, scored
from trainingdoctor.measure.samples import Samples

# More classes leave too few samples of each for a fit of 2,000.
MOST_CLASSES = 100


@dataclass(frozen=True)
class LabelRelation:
    """How well a small classifier predicts labels that it was not fitted on.

    train: fitted on training samples, asked about others of them.  between: the same fit asked about evaluation
    samples.  evaluation: fitted on and asked about evaluation samples.  relabelled: `between` once each predicted
    class is renamed to the evaluation class that it falls on most; moved: how many classes that renames.
    comparable: both sets were read in the same way, without augmentation, and neither is noisier than the other.
    """

    classes: int
    fitted: int
    train: Score
    between: Score
    evaluation: Score
    relabelled: Score
    moved: int
    comparable: bool


@evidence(cost="probe")
def label_relation(
    plain_train: Samples, plain_eval: Samples, probe_features: ProbeFeatures, *, fitted: int = 2000
) -> LabelRelation:
    """Fit on up to `fitted` training samples (half as many for the evaluation set's own fit), and score on the rest."""
    known = torch.isin(plain_eval.labels, plain_train.labels)
    if len(plain_eval.labels[known].unique()) < 2 or float(known.float().mean()) < 0.5:
        raise Unavailable(
            "most evaluation samples are of classes that the training samples do not have, or all of one class"
        )
    train, test = _split(plain_train, fitted, frozenset())
    own, other = _split(plain_eval, fitted // 2, frozenset(plain_train.keys[i] for i in train.tolist()))
    classes = _classes(plain_train.labels[train], plain_eval.labels)
    x, v = probe_features.train, probe_features.evaluation
    probe = fit(x[train], plain_train.labels[train], classes)
    across = torch.cat([own, other])
    predicted, labels = probe(v[across]), plain_eval.labels[across]
    renamed, moved = _renamed(predicted, labels, classes)
    return LabelRelation(
        classes=len(classes),
        fitted=len(train),
        train=_score(probe, x[test], plain_train.labels[test]),
        between=scored(predicted, labels, classes),
        evaluation=_score(fit(v[own], plain_eval.labels[own], classes), v[other], plain_eval.labels[other]),
        relabelled=renamed,
        moved=moved,
        comparable=_comparable(plain_train, plain_eval),
    )


def _comparable(a: Samples, b: Samples) -> bool:
    if a.raw != b.raw or a.varies or b.varies:
        return False
    return a.smoothness is None or b.smoothness is None or abs(a.smoothness - b.smoothness) < 0.1


def _score(probe: Probe, features: Tensor, labels: Tensor) -> Score:
    return scored(probe(features), labels, probe.classes)


def _split(samples: Samples, fitted: int, known: frozenset[int]) -> tuple[Tensor, Tensor]:
    """Positions to fit on and to score on: what is fitted, or `known`, is not scored again in a copy of it."""
    fresh = [i for i, key in enumerate(samples.keys) if key not in known]
    # Of few samples two fifths are fitted on.
    count = min(fitted, 2 * len(fresh) // 5)
    chosen = frozenset(samples.keys[i] for i in fresh[:count])
    rest = [i for i in fresh[count:] if samples.keys[i] not in chosen]
    if count < 50 or len(rest) < 100:
        raise Unavailable("too few samples that differ from each other to relate inputs and labels")
    return torch.tensor(fresh[:count]), torch.tensor(rest)


def _classes(train: Tensor, evaluation: Tensor) -> Tensor:
    classes: Tensor = torch.cat([train, evaluation]).unique()
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise Unavailable(f"{len(classes)} classes: the small classifier needs 2 to {MOST_CLASSES}")
    return classes


def _renamed(predicted: Tensor, labels: Tensor, classes: Tensor) -> tuple[Score, int]:
    """The score after the best renaming of the classes: found on half of the samples, scored on the other half."""
    half = len(labels) // 2
    pairs = (labels[:half, None] == classes).double(), (predicted[:half, None] == classes).double()
    table = pairs[0].T @ pairs[1]
    names = _assigned(table / table.sum(1, keepdim=True).clamp(min=1))
    position = (predicted[half:, None] == classes).int().argmax(1)
    return scored(classes[names[position]], labels[half:], classes), int((names != torch.arange(len(names))).sum())


def _assigned(shares: Tensor) -> Tensor:
    """For each predicted class (column) the label (row) that it gets, each once, the largest shares first."""
    names = torch.zeros(shares.shape[1], dtype=torch.long)
    left = shares.clone()
    for _ in range(len(names)):
        row, column = divmod(int(left.argmax()), left.shape[1])
        names[column] = row
        left[row], left[:, column] = -1, -1
    return names
