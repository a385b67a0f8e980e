"""Scripts that a launcher starts as programs of their own: they are named, and not waited for."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from trainingdoctor.observing import replacing
from trainingdoctor.observing.loops import file_trains
from trainingdoctor.observing.places import is_users
from trainingdoctor.observing.replacing import wrap

RUNNERS = ("torchrun", "accelerate", "deepspeed")
MODULES = ("torch.distributed.run", "torch.distributed.launch")
OPERATORS = frozenset({"&&", "||", ";", "|", "&", ">", ">>", "2>&1"})


class Elsewhere(BaseException):
    """Raised in a script that starts a training as another program. script: its name.  command: what to type instead.

    No Exception, so that `except Exception` lets it pass.
    """

    def __init__(self, script: str, command: str) -> None:
        super().__init__(command)
        self.script, self.command = script, command


@contextmanager
def launches_told() -> Iterator[None]:
    """Inside the block a program of Python's that trains is not started: Elsewhere is raised."""

    def started(original: Callable[..., Any], process: Any, args: Any, *rest: Any, **kwargs: Any) -> Any:
        _look(args, kwargs.get("cwd"))
        return original(process, args, *rest, **kwargs)

    def system(original: Callable[..., Any], command: Any) -> Any:
        _look(command, None)
        return original(command)

    with ExitStack() as stack:
        wrap(stack, subprocess.Popen, "__init__", started)
        wrap(stack, os, "system", system)
        yield


def _look(command: Any, folder: Any) -> None:
    if not _by_user():
        return
    found = launched(command, Path(os.fsdecode(folder)) if folder else Path())
    if found is not None:
        raise found


def _by_user() -> bool:
    """Whether the user's code itself asks for it: a library may start whatever it needs."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename in (__file__, replacing.__file__, subprocess.__file__):
        frame = frame.f_back
    return frame is not None and is_users(frame.f_code.co_filename)


def launched(command: Any, folder: Path) -> Elsewhere | None:
    """The training script that a command of a shell's, or a list of words, starts in that folder; None where it starts none."""
    words = _words(command)
    begins = next((i for i, word in enumerate(words) if _runs_python(word)), len(words))
    for i in range(begins + 1, len(words)):
        if words[i].endswith(".py"):
            script = folder / words[i]
            return (
                Elsewhere(script.name, _instead(words[begins:i], script, words[i + 1 :]))
                if file_trains(script)
                else None
            )
    return None


def _words(command: Any) -> list[str]:
    """Of the first program that it starts."""
    if isinstance(command, str | bytes):
        try:
            words = shlex.split(os.fsdecode(command))
        except ValueError:
            return []
        begins = next((i for i, word in enumerate(words) if _runs_python(word)), 0)
        ends = next((i for i in range(begins, len(words)) if words[i] in OPERATORS), len(words))
        return words[begins:ends]
    if isinstance(command, Sequence):
        return [os.fsdecode(w) for w in command if isinstance(w, str | bytes | os.PathLike)]
    return []


def _runs_python(word: str) -> bool:
    name = Path(word).name
    return name.startswith("python") or name in RUNNERS


def _instead(runner: list[str], script: Path, arguments: list[str]) -> str:
    """The command with the diagnosis in it."""
    several = Path(runner[0]).name == "torchrun" or any(module in runner for module in MODULES)
    options = [w for w in runner[1:] if w != "-m" and w not in MODULES and not w.endswith("torchrun")]
    head = ["torchrun", *options, "-m", "trainingdoctor"] if several else ["trainingdoctor"]
    tail = ["--", *arguments] if arguments else []
    return shlex.join([*head, "diagnose", os.path.relpath(script), *tail])
