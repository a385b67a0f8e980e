"""Files that a script opens otherwise than by open(): by descriptor, as a database, and from within torch.jit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from torch.jit._script import RecursiveScriptModule

if TYPE_CHECKING:
    from trainingdoctor.observing.scratch import Overlay

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def openers(overlay: Overlay) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """Owner, name, and the function to put there for the time of the watching."""
    yield os, "open", _low_opening(os.open, overlay)
    yield RecursiveScriptModule, "save", _scripted(RecursiveScriptModule.save, overlay)
    with suppress(ImportError):  # not every Python is built with it
        import sqlite3

        for owner in (sqlite3, sqlite3.dbapi2):
            yield owner, "connect", _connecting(sqlite3.connect, overlay)


def _low_opening(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    """os.open(), as Path.touch() and lock files call it."""

    def opened(path: Any, flags: int, *args: Any, **kwargs: Any) -> Any:
        nameless = getattr(os, "O_TMPFILE", 0)
        if kwargs.get("dir_fd") is not None or (nameless and flags & nameless == nameless):
            return original(path, flags, *args, **kwargs)
        writes = overlay.writing(path, copies=not flags & os.O_TRUNC) if flags & WRITES else overlay.reading(path)
        return original(writes, flags, *args, **kwargs)

    return opened


def _connecting(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    """A database in memory, or told by a URI, is left where it is."""

    def connected(database: Any, *args: Any, **kwargs: Any) -> Any:
        text = os.fsdecode(database)
        elsewhere = not text or text.startswith((":", "file:"))
        return original(database if elsewhere else overlay.writing(database, copies=True), *args, **kwargs)

    return connected


def _scripted(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    def saved(module: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
        return original(module, overlay.writing(f), *args, **kwargs)

    return saved
