"""Class frequencies, and what makes up for them."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils.data import WeightedRandomSampler

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.targets import Targets


@dataclass(frozen=True)
class Balance:
    """Most and least frequent class of the whole data set. compensated: class weights or a weighted sampler."""

    classes: int
    most_frequent: int
    most: int
    least_frequent: int
    least: int
    compensated: bool

    @property
    def ratio(self) -> float:
        """Most over least frequent."""
        return self.most / max(self.least, 1)


@evidence(cost="probe", optional=("criterion",))
def balance(targets: Targets, train_loader: Any, criterion: Any) -> Balance:
    """Read the class counts; Unavailable unless the data set lists its targets."""
    if not targets.complete or len(targets.counts) < 2:
        raise Unavailable("the data set does not list its class indices, so that classes cannot be counted")
    order = sorted(targets.counts, key=targets.counts.__getitem__)
    weighted = isinstance(getattr(train_loader, "sampler", None), WeightedRandomSampler)
    return Balance(
        classes=len(order),
        most_frequent=order[-1],
        most=targets.counts[order[-1]],
        least_frequent=order[0],
        least=targets.counts[order[0]],
        compensated=weighted or isinstance(getattr(criterion, "weight", None), Tensor),
    )
