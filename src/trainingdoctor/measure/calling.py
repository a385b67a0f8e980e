"""Calls into the user's code: whatever it raises becomes one `UserCodeError` that says who raised, and where."""

import inspect
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainingdoctor.deadline import TimeUp
from trainingdoctor.errors import Terminated, Unavailable, UserCodeError, words_of


def library_folders() -> frozenset[str]:
    """Where packages are installed: site-packages, and folders on the path into which `pip install --target` has put some.

    But for those around the current folder, where the user's own files lie.
    """
    named = {str(Path(p)) for p in sys.path if p.endswith(("site-packages", "dist-packages"))}
    others = (Path(p).resolve() for p in sys.path if p and any(Path(p).glob("*.dist-info")))
    return frozenset(named | {str(p) for p in others if not Path.cwd().is_relative_to(p)})


_LIBRARIES = (
    *library_folders(),
    str(Path(traceback.__file__).parent),
    "<",
)
_OWN = str(Path(__file__).resolve().parent.parent)


# What is not the user's error, whoever raises it.
PASSING = (KeyboardInterrupt, Terminated, TimeUp, GeneratorExit)


@contextmanager
def user_code(stage: str) -> Iterator[None]:
    """Run a block that calls the user's objects. `stage` completes "... raised", as in "the model's forward".

    Raises UserCodeError from anything that the block raises, sys.exit() and other BaseExceptions included.
    KeyboardInterrupt, time limits and the end of a generator pass through.
    """
    try:
        yield
    except (Unavailable, UserCodeError, *PASSING):
        raise
    except BaseException as error:
        raise UserCodeError(stage, error, user_line(error)) from error


def set_mode(model: Any, training: bool) -> None:
    """model.train() or model.eval(), with what it raises attributed to it.

    Where `train` is a loop of the user's, the modes are set without it.
    """
    with user_code("model.train()" if training else "model.eval()"):
        if _trains_itself(model):
            for module in model.modules():
                module.training = training
        elif training:
            model.train()
        else:
            model.eval()


def _trains_itself(model: Any) -> bool:
    try:
        return any(map(_has_loop, model.modules()))
    except Exception:  # noqa: BLE001 - a model whose modules cannot be listed has the modes that it sets
        return False


def _has_loop(module: Any) -> bool:
    """Whether its `train` wants something else than a mode, such as a loader."""
    if getattr(module.train, "__module__", "").startswith("torch."):
        return False
    wanted = inspect.signature(module.train).parameters.values()
    return any(p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD and p.name != "mode" for p in wanted)


def user_line(error: BaseException) -> str | None:
    """`file:line` of the innermost frame that is neither ours nor a library's; None where there is none.

    What a worker process passed on carries its traceback as text.
    """
    passed_on = re.findall(r'^ *File "(.+)", line (\d+), in ', words_of(error), re.MULTILINE)
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    for file, line in reversed([*frames, *passed_on]):
        if not str(Path(file)).startswith((_OWN, *_LIBRARIES)):
            return f"{Path(file).name}:{line}"
    return None


def raised_at(error: BaseException, but_not: str) -> str | None:
    """`file:line` of the user's code that raised, itself or through a library; None where it was ours, or the file `but_not`."""
    frames = traceback.extract_tb(error.__traceback__)
    raising = next((f for f in reversed(frames) if not f.filename.startswith(_LIBRARIES)), None)
    if raising is None or raising.filename == but_not or raising.filename.startswith(_OWN):
        return None
    return f"{Path(raising.filename).name}:{raising.lineno}"
