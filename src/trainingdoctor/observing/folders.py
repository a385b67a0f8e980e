"""What a folder shows that a watched script has written to: that, and what is really there."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainingdoctor.observing.scratch import Overlay


def listers(overlay: Overlay) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """What lists folders, with what to put in its place: owner, name, function."""
    yield os, "listdir", _listing(os.listdir, overlay)
    scan = os.scandir
    for owner in (*_keepers(), os):
        yield owner, "scandir", _scanning(scan, overlay)


def _listing(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    """The names in a folder and in what lies over it, each once."""

    def listed(path: Any = ".") -> Any:
        return list(dict.fromkeys(name for place in overlay.both(path) for name in original(place)))

    return listed


def _scanning(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    """The entries of a folder and of what lies over it; of two with one name, the one over it."""

    def scanned(path: Any = ".") -> Any:
        places = overlay.both(path)
        if places == [path]:
            return original(path)
        entries = {e.name: e for place in reversed(places) for e in original(place)}
        return _Entries(_Entry(e, os.path.join(path, e.name)) for e in entries.values())  # noqa: PTH118 - of bytes, too

    return scanned


def _keepers() -> Iterator[type]:
    """Classes that keep os.scandir() as a static method of their own: Path.glob() of Python 3.13 does."""
    kept = getattr(glob, "_StringGlobber", None)
    if kept is not None and getattr(kept, "scandir", None) is os.scandir:
        yield kept


class _Entry:
    """An os.DirEntry as it would be in the folder that was asked for."""

    def __init__(self, entry: Any, path: Any) -> None:
        self._entry, self.name, self.path = entry, entry.name, path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)

    def __fspath__(self) -> Any:
        return self.path


class _Entries:
    """What os.scandir() gives: an iterator, to be closed or used with `with`."""

    def __init__(self, entries: Iterable[Any]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[Any]:
        return self._entries

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No entries are left."""
        self._entries = iter(())
