"""Fixes of the loaders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainingdoctor.remedy import AddStatement, Edit, Provenance, SetArgument, fix

# Published recipes for small images use 128 (He et al. 2015, section 4.2).
BATCH = "128"
SEED_WORKER = """\
def seed_worker(worker):
    numpy.random.seed(torch.initial_seed() % 2**32)

"""


@fix("data.not_shuffled")
def shuffle(train_loader: Any, provenance: Provenance) -> Iterator[Edit]:
    """Shuffle the training data."""
    yield provenance.setting(train_loader, "train_loader", "shuffle", "True")


@fix("loader.batch_size_one", "loader.batch_size_huge", "batchnorm.small_batch")
def usual_batch(train_loader: Any, provenance: Provenance) -> Iterator[Edit]:
    """Use batches of the usual size."""
    yield provenance.setting(train_loader, "train_loader", "batch_size", BATCH)


@fix("loader.last_batch")
def whole_last_batch(train_loader: Any, val_loader: Any, provenance: Provenance) -> Iterator[Edit]:
    """Drop a last batch of one in training; evaluate on every sample."""
    if getattr(val_loader, "drop_last", False):
        yield provenance.setting(val_loader, "val_loader", "drop_last", "False")
    if len(train_loader.dataset) % train_loader.batch_size == 1:
        yield provenance.setting(train_loader, "train_loader", "drop_last", "True")
    elif getattr(train_loader, "drop_last", False):
        yield provenance.setting(train_loader, "train_loader", "drop_last", "False")


@fix("augmentation.same_in_workers")
def seed_workers(train_loader: Any, provenance: Provenance) -> Iterator[Edit]:
    """Seed NumPy in every worker from PyTorch's seed, which differs from worker to worker and from epoch to epoch."""
    site = provenance.call(train_loader, "train_loader")
    yield AddStatement(site.place, SEED_WORKER, before=True)
    yield SetArgument(site, "worker_init_fn", "seed_worker")


FIXES = (shuffle, usual_batch, whole_last_batch, seed_workers)
