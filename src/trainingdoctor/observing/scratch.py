"""What a script writes goes to a scratch folder, and is found there when it is read again."""

from __future__ import annotations

import builtins
import functools
import io
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from trainingdoctor.observing.folders import listers
from trainingdoctor.observing.opening import openers
from trainingdoctor.observing.replacing import replaced

# Writing there is what it is for.
FREE = ("/dev/", "/proc/", "/sys/")


class Overlay:
    """A folder that lies over the file system: written files land in it, and hide the real ones when read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def over(self, path: Any) -> Path:
        """Where `path` lies in the folder."""
        full = _absolute(path)
        if full.is_relative_to(self.folder) or str(full).startswith(FREE):
            return full
        return self.folder / str(full).lstrip("/").replace(":", "")

    def writing(self, path: Any, copies: bool = False) -> str:
        """The path to write in place of `path`; copies: the file's present contents are needed."""
        target = self.over(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        real = _absolute(path)
        if copies and not target.exists() and real.is_file():
            shutil.copyfile(real, target)
        return str(target)

    def reading(self, path: Any) -> Any:
        """The path to read in place of `path`."""
        target = self.over(path)
        return str(target) if _lexists(target) else path

    def both(self, path: Any) -> list[Any]:
        """The folders that make up the one at `path`: what was written over it, before the real one."""
        if isinstance(path, int) or not isinstance(path, str | bytes | os.PathLike):
            return [path]
        target, real = self.over(path), _absolute(path)
        if target == real or not _lexists(target):
            return [path]
        over = os.fsencode(target) if isinstance(path, bytes) else str(target)
        return [over, path] if real.is_dir() else [over]


@contextmanager
def redirected(folder: Path) -> Iterator[None]:
    """Redirect what the block writes by open(), torch.save(), os and shutil; loggers that would go online stay offline."""
    overlay = Overlay(folder)
    with ExitStack() as stack:
        _environment(stack, folder)
        for owner in (builtins, io):
            _put(stack, owner, "open", _opening(open, overlay))
        _put(stack, torch, "save", _saving(torch.save, overlay))
        _put(stack, torch, "load", _first(torch.load, overlay.reading))
        for name in ("mkdir", "makedirs"):
            _put(stack, os, name, _making(getattr(os, name), overlay))
        for name in ("exists", "isfile", "isdir", "getsize", "getmtime"):
            _put(stack, os.path, name, _first(getattr(os.path, name), overlay.reading))
        for owner, name, value in (*listers(overlay), *openers(overlay)):
            _put(stack, owner, name, value)
        _put(stack, os, "mkfifo", _first(os.mkfifo, overlay.writing))
        for name in ("stat", "access"):
            _put(stack, os, name, _first(getattr(os, name), overlay.reading))
        for name in ("chmod", "utime", "truncate"):
            _put(stack, os, name, _changing(getattr(os, name), overlay))
        for name in ("remove", "unlink", "rmdir"):
            _put(stack, os, name, _deleting(getattr(os, name), overlay))
        _put(stack, shutil, "rmtree", _deleting(shutil.rmtree, overlay))
        for name in ("rename", "replace", "link"):
            _put(stack, os, name, _moving(getattr(os, name), overlay))
        _put(stack, os, "symlink", _pointing(os.symlink, overlay))
        # What shutil.copy2() copies beside the contents; Linux alone has it.
        for name in {"listxattr", "getxattr"} & set(dir(os)):
            _put(stack, os, name, _first(getattr(os, name), overlay.reading))
        yield


def _environment(stack: ExitStack, folder: Path) -> None:
    # Sockets of worker processes lie there, and no call that could be redirected opens those.
    temporary = folder.resolve() / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    stack.callback(setattr, tempfile, "tempdir", tempfile.tempdir)
    tempfile.tempdir = str(temporary)
    wanted = {
        "TMPDIR": str(temporary),
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(folder),
        "WANDB_SILENT": "true",
        "MPLBACKEND": "Agg",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)

    def back() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    stack.callback(back)


def _opening(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if isinstance(file, int):
            return original(file, mode, *args, **kwargs)
        writes = any(c in mode for c in "wax+")
        place = overlay.writing(file, copies="w" not in mode) if writes else overlay.reading(file)
        return original(place, mode, *args, **kwargs)

    return opened


def _saving(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    def saved(value: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
        place = overlay.writing(f) if isinstance(f, str | os.PathLike) else f
        return original(value, place, *args, **kwargs)

    return saved


def _first(original: Callable[..., Any], place: Callable[[Any], Any]) -> Callable[..., Any]:
    """The function with its first argument, where that is a path, put through `place`."""

    def called(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        return original(place(path) if isinstance(path, str | os.PathLike) else path, *args, **kwargs)

    return called


def _making(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    def made(path: Any, mode: int = 0o777, *args: Any, **kwargs: Any) -> Any:
        exist_ok = kwargs.get("exist_ok", args[0] if args else False)
        if _lexists(Path(os.fsdecode(path))) or _lexists(overlay.over(path)):
            if exist_ok:
                return None
            raise FileExistsError(17, "File exists", os.fsdecode(path))
        overlay.over(path).mkdir(parents=True, exist_ok=True)
        return None

    return made


def _changing(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    """Mode, times or length of a copy; folders that are there keep theirs."""

    def changed(path: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(path, int):
            return original(path, *args, **kwargs)
        if _absolute(path).is_dir() and not _lexists(overlay.over(path)):
            return None
        return original(overlay.writing(path, copies=True), *args, **kwargs)

    return changed


def _deleting(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    """Real files stay; those of the overlay go."""

    def deleted(path: Any, *args: Any, **kwargs: Any) -> Any:
        target = overlay.over(path)
        return original(target, *args, **kwargs) if _lexists(target) else None

    return deleted


def _moving(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    def moved(source: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        return original(overlay.writing(source, copies=True), overlay.writing(target), *args, **kwargs)

    return moved


def _pointing(original: Callable[..., Any], overlay: Overlay) -> Callable[..., Any]:
    """A symbolic link in the overlay to where the file that it means lies now."""

    def pointed(source: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        if _lexists(_absolute(target)) or _lexists(overlay.over(target)):
            raise FileExistsError(17, "File exists", os.fsdecode(target))
        meant = _absolute(target).parent / os.fsdecode(source)
        return original(os.path.abspath(overlay.reading(meant)), overlay.writing(target), *args, **kwargs)  # noqa: PTH100

    return pointed


def _absolute(path: Any) -> Path:
    # Not resolve(): what a link points to may be written through another name, too.
    return Path(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100


# Taken before anything is put in its place.
_lstat = os.lstat


def _lexists(path: Path) -> bool:
    try:
        _lstat(path)
    except OSError:
        return False
    return True


_inside = threading.local()


def _put(stack: ExitStack, owner: Any, name: str, value: Callable[..., Any]) -> None:
    """Replace a function until the stack closes; what the replacement calls on its way gets the original."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def once(*args: Any, **kwargs: Any) -> Any:
        if getattr(_inside, "now", False):
            return original(*args, **kwargs)
        _inside.now = True
        try:
            return value(*args, **kwargs)
        finally:
            _inside.now = False

    static = isinstance(owner, type) and isinstance(vars(owner).get(name), staticmethod)
    replaced(stack, owner, name, staticmethod(once) if static else once)
