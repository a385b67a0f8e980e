"""Iterate the user's loaders without leaving worker processes behind, also where those hang."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils.data import _utils

from trainingdoctor.deadline import TimeUp


@contextmanager
def iterated(loader: Iterable[Any]) -> Iterator[Iterator[Any]]:
    """An iterator over `loader` whose worker processes end with the block; those that hang are killed."""
    with _without_persistent_workers(loader):
        iterator = iter(loader)
        try:
            yield iterator
        except TimeUp:
            _kill_workers(iterator)
            raise
        finally:
            # At once: an error that is kept for the report would keep the iterator alive, and with it the workers.
            end = getattr(iterator, "_shutdown_workers", None)
            if callable(end):
                end()


def _kill_workers(iterator: Any) -> None:
    """DataLoader waits five seconds for each worker; for one that hangs, in vain."""
    workers = getattr(iterator, "_workers", ())
    if getattr(iterator, "_worker_pids_set", False):
        # Else DataLoader takes the end of a worker for an error.
        _utils.signal_handling._remove_worker_pids(id(iterator))  # type: ignore[attr-defined]
        iterator._worker_pids_set = False
    for worker in workers:
        worker.kill()


@contextmanager
def _without_persistent_workers(loader: Any) -> Iterator[None]:
    """While looking, a loader must not keep workers (`persistent_workers=True` would leave them running)."""
    if not getattr(loader, "persistent_workers", False):
        yield
        return
    iterator = getattr(loader, "_iterator", None)
    # DataLoader refuses to have `persistent_workers` assigned.
    object.__setattr__(loader, "_iterator", None)
    object.__setattr__(loader, "persistent_workers", False)
    try:
        yield
    finally:
        object.__setattr__(loader, "_iterator", iterator)
        object.__setattr__(loader, "persistent_workers", True)
