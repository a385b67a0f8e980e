"""Files that are written wholly or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def write_whole(path: Path, text: str, encoding: str = "utf-8") -> None:
    """Write a text beside `path`, then rename it: whoever is killed, or whose disk is full, leaves the old file whole.

    Line ends as they are. What is no file, such as a pipe, is written in place, and so is a file in a folder where none can
    be made. Raises OSError.
    """
    target = path.resolve()
    if (target.exists() and not target.is_file()) or not os.access(target.parent, os.W_OK):
        path.write_bytes(text.encode(encoding))
        return
    beside = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        beside.write_bytes(text.encode(encoding))
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
