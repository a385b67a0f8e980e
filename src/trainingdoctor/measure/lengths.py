"""Numbers of samples and batches of the loaders."""

from dataclasses import dataclass
from typing import Any

from trainingdoctor.evidence import evidence
from trainingdoctor.measure.dataset import length
from trainingdoctor.measure.layers import Architecture


@dataclass(frozen=True)
class LoaderLengths:
    """remainder: samples in the incomplete last batch, 0 if there is none, None where it is not known."""

    train_samples: int | None
    train_batch_size: int | None
    train_drop_last: bool
    val_samples: int | None
    val_batch_size: int | None
    val_drop_last: bool
    has_batchnorm: bool

    @property
    def train_remainder(self) -> int | None:
        """Samples in the last training batch when it is not full."""
        return _remainder(self.train_samples, self.train_batch_size)

    @property
    def val_remainder(self) -> int | None:
        """Samples in the last evaluation batch when it is not full."""
        return _remainder(self.val_samples, self.val_batch_size)


def _remainder(samples: int | None, batch_size: int | None) -> int | None:
    return None if samples is None or not batch_size else samples % batch_size


@evidence(optional=("val_loader", "architecture"))
def loader_lengths(train_loader: Any, val_loader: Any, architecture: Architecture | None) -> LoaderLengths:
    """Read batch sizes and drop_last of both loaders. Samples: as many as the sampler gives."""
    return LoaderLengths(
        *_read(train_loader), *_read(val_loader), has_batchnorm=architecture is not None and architecture.has_batchnorm
    )


def _read(loader: Any) -> tuple[int | None, int | None, bool]:
    source = getattr(loader, "sampler", None)
    samples = length(source) if source is not None else length(getattr(loader, "dataset", None))
    return samples, getattr(loader, "batch_size", None), bool(getattr(loader, "drop_last", False))
