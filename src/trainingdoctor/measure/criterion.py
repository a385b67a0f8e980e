"""What a criterion does, seen by calling it on small synthetic predictions."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.targets import Targets


@dataclass(frozen=True)
class CriterionKind:
    """kind: cross_entropy, nll, bce, bce_with_logits, regression or other.  reduction: mean, sum, none or other.

    descends: whether a better prediction lowers it.  name: the class or function.  of_distances: it is zero where those
    that are marked have nothing and all others have much, as a contrastive loss of distances between pairs is.  positive: it is above 0
    for predictions better and worse, as what was only negated is not.
    """

    name: str
    kind: str
    reduction: str
    descends: bool
    of_distances: bool = False
    positive: bool = False


# Wider ones are not made up: a vocabulary has some 250,000 entries.
MOST_WIDTH = 1_000_000


@evidence(cost="probe", optional=("num_classes",))
def criterion_kind(criterion: Callable[..., Any], targets: Targets, num_classes: int | None) -> CriterionKind:
    """Probe the criterion with targets in the form that the loader gives; Unavailable when it takes neither form."""
    name = getattr(criterion, "__name__", type(criterion).__name__)
    width = num_classes or max((targets.maximum or 0) + 1 if targets.kind == "indices" else targets.width or 2, 2)
    weight = getattr(criterion, "weight", None)
    width = len(weight) if isinstance(weight, Tensor) and weight.ndim == 1 else int(width)
    dense = targets.kind != "indices"
    try:
        return _probed(criterion, name, width, dense)
    except UserCodeError:
        pass
    try:
        return _probed(criterion, name, width, not dense)
    except UserCodeError as error:
        raise Unavailable(f"the criterion ({name}) takes no predictions but the model's own: {error}") from error


def smoothing_of(criterion: Any) -> float:
    """The label smoothing of a criterion: what it says, or else does; 0 where it does none, or takes no classes by number."""
    value = getattr(criterion, "label_smoothing", None)
    if isinstance(value, int | float):
        return float(value)
    return _smoothing_seen(criterion) if callable(criterion) else 0.0


def _smoothing_seen(criterion: Callable[..., Any], classes: int = 10) -> float:
    """Smoothed labels punish those that are sure and right, in proportion to how sure they are; others hardly do."""
    index = torch.arange(classes)
    seen = []
    for sure in (40.0, 80.0):
        try:
            with user_code("the criterion"), torch.no_grad(), warnings.catch_warnings(action="ignore"):
                loss = float(criterion(sure * functional.one_hot(index, classes), index))
        except (UserCodeError, TypeError, ValueError):
            return 0.0
        seen.append(loss / sure * classes / (classes - 1))
    steady = abs(seen[0] - seen[1]) < 1e-3
    return round(seen[1], 3) if steady and 0 < seen[1] < 1 else 0.0


def _probed(criterion: Callable[..., Any], name: str, width: int, dense: bool) -> CriterionKind:
    if width > MOST_WIDTH:
        raise Unavailable(f"{width:,} classes are too many to try the criterion on")
    logits = torch.randn(8, width)
    index = torch.arange(8) % width
    one_hot = functional.one_hot(index, width).float()
    goal: Tensor = one_hot if dense else index

    def loss(predictions: Tensor, wanted: Tensor = goal) -> Tensor:
        with user_code("the criterion"):
            value = criterion(predictions, wanted)
        if not isinstance(value, Tensor):
            raise Unavailable(f"the criterion returns a {type(value).__name__}, not a tensor")
        if not value.numel():
            raise Unavailable("the criterion returns an empty tensor")
        return value.detach().float()

    probabilities = logits.softmax(1)
    kind = _kind(loss, logits, probabilities, one_hot, dense)
    base = probabilities if kind == "bce" else logits
    exact = one_hot if dense or kind != "regression" else _class_numbers(one_hot)
    # From nearly undecided predictions: smoothed labels punish those that are sure.
    start = base if kind in ("bce", "regression") else 0.1 * base
    better = (0.9 * exact + 0.1 * base) if kind in ("bce", "regression") else start + 0.3 * one_hot
    low, high = float(loss(better).mean()), float(loss(start).mean())
    descends, positive, value = low < high, min(low, high) > 0, loss(base)
    distances = dense and not descends and _is_zero(loss, 100 * (1 - one_hot))
    if value.numel() > 1:
        return CriterionKind(name, kind, "none", descends, distances, positive)
    doubled = loss(torch.cat([base, base]), torch.cat([goal, goal]))
    return CriterionKind(name, kind, _reduction(float(value), float(doubled)), descends, distances, positive)


def _kind(loss: Callable[..., Tensor], logits: Tensor, probabilities: Tensor, one_hot: Tensor, dense: bool) -> str:
    """Tell by invariances: softmax inside ignores a shift per row; NLL is linear in it; a regression is 0 at its target,
    be that the one-hot row or the class number."""
    value, shifted = loss(probabilities).mean(), loss(probabilities + 1.0) if not dense else None
    if shifted is not None:
        if torch.isclose(shifted.mean(), value, rtol=1e-3, atol=1e-5):
            return "cross_entropy"
        if torch.isclose(loss(2 * probabilities).mean(), 2 * value, rtol=1e-3, atol=1e-5):
            return "nll"
        return "regression" if abs(float(loss(_class_numbers(one_hot)).mean())) < 1e-6 else "other"
    if abs(float(loss(one_hot).mean())) < 1e-6:
        return _exact_at_target(loss, one_hot)
    if _accepts(loss, logits + 5.0) and torch.isclose(loss(logits + 5.0).mean(), loss(logits).mean(), rtol=1e-3):
        return "cross_entropy"
    return "bce_with_logits" if _accepts(loss, logits) and _goes_on(loss, one_hot) else "bce"


def _goes_on(loss: Callable[..., Tensor], one_hot: Tensor) -> bool:
    """Whether surer is better beyond 0 and 1, as it is for logits; a loss of probabilities may clamp them."""
    return bool(loss(20 * one_hot - 10).mean() < loss(one_hot).mean() - 1e-3)


def _class_numbers(one_hot: Tensor) -> Tensor:
    """Predictions that all say the class number, in the shape of the one-hot rows."""
    return one_hot.argmax(1, keepdim=True).float().expand_as(one_hot).contiguous()


def _exact_at_target(loss: Callable[..., Tensor], one_hot: Tensor) -> str:
    return "regression" if _accepts(loss, one_hot + 5.0) and _accepts(loss, one_hot - 5.0) else "bce"


def _is_zero(loss: Callable[..., Tensor], predictions: Tensor) -> bool:
    return _accepts(loss, predictions) and float(loss(predictions).abs().max()) < 1e-6


def _accepts(loss: Callable[..., Tensor], predictions: Tensor) -> bool:
    try:
        return bool(torch.isfinite(loss(predictions)).all())
    except UserCodeError:
        return False


def _reduction(once: float, twice: float) -> str:
    if abs(twice - once) <= 0.01 * abs(once):
        return "mean"
    return "sum" if abs(twice - 2 * once) <= 0.02 * abs(once) else "other"
