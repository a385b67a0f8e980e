"""How much each class counts in the criterion, seen in its gradient, next to how often each class occurs."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import WeightedRandomSampler

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.criterion import CriterionKind
from trainingdoctor.measure.targets import Targets

# More classes than this are vocabularies; the table of pairs grows with the square.
MOST_CLASSES = 2_000
# A class that was seen less often says little about how often it occurs.
LEAST_SEEN = 5


@dataclass(frozen=True)
class ClassWeights:
    """weights: by class, relative to the largest, and negative where the criterion pushes away from the class.

    counts: how often each class is drawn, for classes drawn at least 5 times.  excess: by how much the weights of two
    classes leave the span between equal weights and inverse frequency, as a factor, for the worst pair `heavy`, `light`.
    """

    weights: tuple[float, ...]
    counts: dict[int, int]
    excess: float
    heavy: int
    light: int

    @property
    def weighted(self) -> bool:
        """Whether the classes count differently at all."""
        return max(self.weights) - min(self.weights) > 0.01

    @property
    def silenced(self) -> tuple[int, ...]:
        """Classes that occur and do not count."""
        return tuple(c for c in self.counts if abs(self.weights[c]) < 1e-6)

    @property
    def silenced_share(self) -> float:
        """Share of the samples that do not count."""
        return sum(self.counts[c] for c in self.silenced) / max(sum(self.counts.values()), 1)


@evidence(cost="probe", optional=("num_classes",))
def class_weights(
    criterion: Callable[..., Any],
    criterion_kind: CriterionKind,
    targets: Targets,
    train_batches: tuple[Batch, ...],
    train_loader: Any,
    num_classes: int | None,
) -> ClassWeights:
    """Give the criterion equal predictions for one sample of each class, and read the gradient that each one gets."""
    if targets.kind != "indices" or len(targets.shape) != 1 or criterion_kind.kind not in ("cross_entropy", "nll"):
        raise Unavailable("the criterion does not choose one of several classes for each sample")
    counts = _drawn(targets, train_batches, train_loader)
    width = max(len(_given(criterion)), num_classes or 0, max(counts, default=0) + 1)
    if not 2 <= width <= MOST_CLASSES or len(counts) < 2:
        raise Unavailable(f"class weights are compared for 2 to {MOST_CLASSES} classes that occur")
    weights = _felt(criterion, width)
    factor, heavy, light = _excess(weights, counts)
    return ClassWeights(tuple(weights.tolist()), counts, factor, heavy, light)


def _drawn(targets: Targets, batches: tuple[Batch, ...], loader: Any) -> dict[int, int]:
    counts = targets.counts
    if isinstance(getattr(loader, "sampler", None), WeightedRandomSampler):
        counts = Counter(int(v) for b in batches if isinstance(b.targets, Tensor) for v in b.targets.flatten().tolist())
    return {c: n for c, n in sorted(counts.items()) if n >= LEAST_SEEN and c >= 0}


def _given(criterion: Any) -> Tensor:
    weight = getattr(criterion, "weight", None)
    return weight if isinstance(weight, Tensor) and weight.ndim == 1 else torch.empty(0)


def _felt(criterion: Callable[..., Any], width: int) -> Tensor:
    """The size of each class's gradient relative to the largest; its sign is that of the pull towards the class."""
    buffers = list(criterion.buffers()) if isinstance(criterion, nn.Module) else []
    device = buffers[0].device if buffers else torch.device("cpu")
    scores = torch.full((width, width), -torch.tensor(float(width)).log().item(), device=device, requires_grad=True)
    with user_code("the criterion"), torch.enable_grad():
        loss = criterion(scores, torch.arange(width, device=device))
        loss = loss.sum() if isinstance(loss, Tensor) else loss
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        raise Unavailable("the criterion gives no gradient for equal predictions")
    if loss.is_complex():
        raise Unavailable("the criterion returns complex numbers")
    (gradient,) = torch.autograd.grad(loss, scores, allow_unused=True)
    if gradient is None:
        raise Unavailable("the criterion does not depend on the predictions")
    sizes = gradient.detach().float().cpu().norm(dim=1)
    if not bool(torch.isfinite(sizes).all()) or not float(sizes.max()) > 0:
        raise Unavailable("the criterion gives no finite gradient for equal predictions")
    pull = -gradient.detach().float().cpu().diagonal().sign()
    signed: Tensor = sizes / sizes.max() * torch.where(pull == 0, torch.ones_like(pull), pull)
    return signed


def _excess(weights: Tensor, counts: dict[int, int]) -> tuple[float, int, int]:
    """How far the ratio of two classes' weights lies outside of 1 .. their inverse frequency; the worst pair."""
    classes = [c for c in counts if float(weights[c]) > 1e-6]
    if len(classes) < 2:
        return 1.0, 0, 0
    weight = weights[classes].double().log()
    often = torch.tensor([counts[c] for c in classes], dtype=torch.float64).log()
    ratio = weight[:, None] - weight[None, :]
    inverse = often[None, :] - often[:, None]
    beyond = torch.maximum(ratio - inverse.clamp(min=0), torch.zeros(()))
    worst = int(beyond.argmax())
    heavy, light = divmod(worst, len(classes))
    return float(beyond.max().exp()), classes[heavy], classes[light]
