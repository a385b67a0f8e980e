"""Load `my_config.py`: plain Python, executed where it stands, and read by its module-level names."""

import os
import runpy
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainingdoctor.deadline import TimeUp, limited
from trainingdoctor.errors import UserError
from trainingdoctor.loading.names import training_from
from trainingdoctor.training import Training

# Building a model and opening a data set takes seconds; a config that takes ten minutes trains.
TIME_LIMIT = 600.0


def load_config(path: str | Path, time_limit: float = TIME_LIMIT) -> Training:
    """Execute a config and return the training it describes: from `training()` if it has that, else from its names.

    The file runs as if from its own folder, so that its relative imports and files work; `__name__` is not
    "__main__", so a guarded main does not start. Raises UserError in one sentence for a file that is missing, raises,
    exits, does not end within `time_limit` seconds, or describes no training.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise UserError(f"{path} is not there: give the path of a Python file that builds the model and its training")
    if file.suffix != ".py":
        raise UserError(f"{path} is not a Python file: a config is a .py file that builds the model and its training")
    with _inside(file.parent):
        names = _executed(file, time_limit)
        return _described(names, file)


def _executed(file: Path, time_limit: float) -> Mapping[str, Any]:
    try:
        with limited(time_limit):
            return runpy.run_path(str(file), run_name="trainingdoctor_config")
    except TimeUp:
        raise UserError(
            f"{file.name} did not end within {time_limit:.0f} s: a config builds the training and must not run it"
        ) from None
    except SystemExit as error:
        raise UserError(
            f"{file.name} ends the process (sys.exit({error.code!r})){_line(error, file)}: remove that from the config"
        ) from None
    except Exception as error:
        raise UserError(f"{file.name} cannot be loaded: {_sentence(error)}{_line(error, file)}") from error


def _described(names: Mapping[str, Any], file: Path) -> Training:
    build = names.get("training")
    if callable(build) and not isinstance(build, type):
        try:
            training = build()
        except Exception as error:
            raise UserError(f"training() of {file.name} raised {_sentence(error)}{_line(error, file)}") from error
        if not isinstance(training, Training):
            raise UserError(
                f"training() of {file.name} returns {type(training).__name__}: return a trainingdoctor.Training"
            )
        return training if training.name != "training" else _renamed(training, file.name)
    if isinstance(build, Training):
        return _renamed(build, file.name)
    return training_from(names, file.name)


def _renamed(training: Training, name: str) -> Training:
    fields = {f: getattr(training, f) for f in Training.field_names()}
    return Training(**{**fields, "name": name})


def _sentence(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    missing = (
        " (install it, or run trainingdoctor in the environment of your training)"
        if isinstance(error, ImportError)
        else ""
    )
    return f"{type(error).__name__}{': ' + lines[0][:300] if lines else ''}{missing}"


def _line(error: BaseException, file: Path) -> str:
    """Where in the user's own file it happened."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f" ({file.name}:{error.lineno})"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
    return f" ({file.name}:{lines[-1]})" if lines else ""


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Run from the config's folder, with it first on the import path. The path stays: objects may import later."""
    before = Path.cwd()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    os.chdir(folder)
    argv, sys.argv = sys.argv, [str(folder)]
    try:
        yield
    finally:
        sys.argv = argv
        os.chdir(before)
