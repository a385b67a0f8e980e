"""What a notebook finds where notebooks run, and a script does not."""

from __future__ import annotations

import sys
import types
from contextlib import suppress
from importlib import import_module
from typing import cast

# Modules that notebooks written in Colab import from google.colab.
COLAB = ("drive", "files", "output", "patches", "userdata", "widgets")


class Shell:
    """What IPython puts into a notebook's names, as far as a script can do without: it takes every call."""

    def __call__(self, *_: object, **__: object) -> Shell:
        return self

    def __getattr__(self, name: str) -> Shell:
        if name.startswith("__"):
            raise AttributeError(name)
        return self


def without_colab() -> None:
    """Notebooks that mount a drive of Colab's before they train do so elsewhere, too; nothing changes where there is one."""
    with suppress(ImportError):
        import_module("google.colab")
        return
    with suppress(ImportError):
        import_module("google")
    package = sys.modules.setdefault("google", types.ModuleType("google"))
    taken = cast("types.ModuleType", Shell())
    sys.modules.update({"google.colab": taken, **{f"google.colab.{name}": taken for name in COLAB}})
    vars(package)["colab"] = taken
