"""In which order the training samples come, in two epochs."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

from torch import Tensor
from torch.utils.data import IterableDataset

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.targets import listed_targets


@dataclass(frozen=True)
class Order:
    """same_twice: two epochs begin with the same indices.  classes_per_batch: distinct classes in the first batches.

    expected_classes: how many there would be if the order had nothing to do with the class.
    """

    known_indices: bool
    same_twice: bool | None
    sequential: bool | None
    classes_per_batch: float | None
    expected_classes: float | None
    batch_size: int


@evidence(cost="probe", optional=("loop_trace",))
def sample_order(
    train_loader: Any, train_batches: tuple[Batch, ...], loop_trace: Any = None, *, samples: int = 512
) -> Order:
    """Read the sampler's order twice, without loading images, and the classes in the drawn batches.

    Unavailable for a sampler of the user's own whose loop was not reached: the loop may tell it the order.
    """
    if loop_trace is not None and not loop_trace.steps and _has_own_sampler(train_loader):
        raise Unavailable("the sampler is none of torch's, and the loop that may tell it the order was not reached")
    first, second = _indices(train_loader, samples), _indices(train_loader, samples)
    classes, expected = _classes(train_loader, train_batches)
    size = train_batches[0].size
    if first is not None and len(first) <= size < samples:
        raise Unavailable("one batch holds the whole data set: its order means nothing")
    if first is None and classes is None:
        raise Unavailable("neither the sampler's order nor the classes of the drawn batches can be read")
    return Order(
        known_indices=first is not None,
        same_twice=None if first is None else first == second,
        sequential=None if first is None else first == list(range(len(first))),
        classes_per_batch=classes,
        expected_classes=expected,
        batch_size=size,
    )


def _has_own_sampler(loader: Any) -> bool:
    samplers = (getattr(loader, name, None) for name in ("sampler", "batch_sampler"))
    return not all(s is None or type(s).__module__.startswith("torch.") for s in samplers)


def _indices(loader: Any, count: int) -> list[int] | None:
    if isinstance(getattr(loader, "dataset", None), IterableDataset):
        return None
    sampler = getattr(loader, "batch_sampler", None)
    if sampler is None:
        return None
    found: list[int] = []
    with user_code("the sampler"):
        for batch in islice(sampler, count):
            found += list(batch)
            if len(found) >= count:
                break
    return found[:count]


def _classes(loader: Any, batches: tuple[Batch, ...]) -> tuple[float | None, float | None]:
    """Mean number of classes in a drawn batch, and the number expected of a random draw from the data set."""
    targets = [b.targets for b in batches if isinstance(b.targets, Tensor) and b.targets.ndim == 1]
    targets = [t for t in targets if not t.is_floating_point()]
    if not targets:
        return None, None
    seen = sum(len(t.unique()) for t in targets) / len(targets)
    listed = listed_targets(getattr(loader, "dataset", None))
    if listed is None:
        return seen, None
    total, size = len(listed), len(targets[0])
    counts = [listed.count(c) for c in set(listed)] if len(set(listed)) <= 200 else []
    return seen, sum(1.0 - (1.0 - c / total) ** size for c in counts) if counts else None
