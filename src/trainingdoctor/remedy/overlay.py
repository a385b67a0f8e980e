"""Source files with other texts than on the disk, for the time of a block: what a patch would do, without writing it."""

from __future__ import annotations

import functools
import linecache
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from trainingdoctor.observing.places import is_users, syntax
from trainingdoctor.observing.replacing import replaced


@contextmanager
def overlaid(texts: Mapping[Path, str]) -> Iterator[None]:
    """Imports inside the block see `texts` in place of the files; the user's modules are imported anew, before and after."""
    get_code: Any = SourceFileLoader.get_code

    def code(loader: SourceFileLoader, name: str) -> CodeType | None:
        text = texts.get(Path(loader.path).resolve())
        return get_code(loader, name) if text is None else compile(text, loader.path, "exec", dont_inherit=True)

    with ExitStack() as stack:
        replaced(stack, SourceFileLoader, "get_code", functools.wraps(get_code)(code))
        _forget()
        for file, text in texts.items():
            linecache.cache[str(file)] = (len(text), None, text.splitlines(keepends=True), str(file))
        stack.callback(_forget)
        yield


def _forget() -> None:
    """The user's modules, and what is remembered of their lines."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name != "__main__" and is_users(str(file)) and not name.startswith("trainingdoctor"):
            del sys.modules[name]
    linecache.clearcache()
    syntax.cache_clear()
