"""The rate that an optimizer was built with, and the one that a loaded state put in its place."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

from trainingdoctor.observing.seen import ReloadedSeen
from trainingdoctor.observing.ticks import rate_of


class Reloaded:
    """Follows the rates until the first step. seen: of the first optimizer whose rate came from a state."""

    def __init__(self) -> None:
        self.seen: ReloadedSeen | None = None
        self._built: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()
        self._loaded: weakref.WeakKeyDictionary[Any, tuple[float, str]] = weakref.WeakKeyDictionary()

    def on_built(self, optimizer: Any) -> None:
        """An optimizer was made."""
        self._built[optimizer] = rate_of(optimizer)

    def on_load(self, optimizer: Any, where: str) -> None:
        """It has loaded a state."""
        self._loaded[optimizer] = rate_of(optimizer), where

    def before_training(self, optimizer: Any, schedulers: Iterable[Any]) -> None:
        """It is about to make its first step. schedulers: that drive it."""
        known = list(schedulers)
        if self.seen is not None or optimizer not in self._built or optimizer not in self._loaded:
            return
        fresh = bool(known) and all(_is_fresh(s) for s in known)
        loaded, where = self._loaded[optimizer]
        if loaded == rate_of(optimizer) != self._built[optimizer] and fresh:
            self.seen = ReloadedSeen(self._built[optimizer], loaded, where)


def _is_fresh(scheduler: Any) -> bool:
    """Whether its schedule is at its start. One that waits for a metric has none."""
    return not isinstance(scheduler, ReduceLROnPlateau) and getattr(scheduler, "last_epoch", None) == 0
