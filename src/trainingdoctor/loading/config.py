"""Load `my_config.py`: plain Python, executed where it stands, and read by its module-level names."""

import importlib
import importlib.util
import inspect
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, NoReturn

from trainingdoctor.deadline import TimeUp, limited
from trainingdoctor.errors import Terminated, UserError, advice_for, words_of
from trainingdoctor.loading.fields import require_types
from trainingdoctor.loading.names import training_from
from trainingdoctor.measure.calling import user_line
from trainingdoctor.python2 import ADVICE, is_python2, told
from trainingdoctor.training import Training

# Building a model and opening a data set takes seconds; a config that takes ten minutes trains.
TIME_LIMIT = 600.0


def load_config(path: str | Path, time_limit: float = TIME_LIMIT) -> Training:
    """Execute a config and return the training it describes: from `training()` if it has that, else from its names.

    The file runs as if from its own folder, so that its relative imports and files work; stay `in_folder_of` it while
    its objects are used. `__name__` is not "__main__", so a guarded main does not start. Raises UserError in one
    sentence for a file that is missing, raises, exits, does not end within `time_limit` seconds, or describes no
    training.
    """
    file = _checked(path)
    ends = time.monotonic() + time_limit
    with in_folder_of(file):
        with _one_sentence(file.name, time_limit):
            names = _executed(file)
        build = names.get("training")
        if isinstance(build, Training):
            return _complete(build, file)
        if not _is_builder(build):
            return training_from(names, file.name)
        with _one_sentence(f"training() of {file.name}", max(ends - time.monotonic(), 0.001)):
            training = build()  # type: ignore[misc]
    if not isinstance(training, Training):
        raise UserError(
            f"training() of {file.name} returns {type(training).__name__}: return a trainingdoctor.Training"
        )
    return _complete(training, file)


def _checked(path: str | Path) -> Path:
    file = Path(path).resolve()
    build = "a .py file that builds the model and its training"
    if file.is_dir():
        raise UserError(f"{path} is a folder: give the path of {build}")
    if not file.is_file():
        raise UserError(f"{path} is not there: give the path of {build}")
    if file.suffix != ".py":
        raise UserError(f"{path} is not a Python file: a config is {build}")
    return file


def _is_builder(build: Any) -> bool:
    """Whether `training` is a function to call: not one that takes arguments, which is somebody's training loop."""
    if not callable(build) or isinstance(build, type):
        return False
    try:
        inspect.signature(build).bind()
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _complete(training: Training, file: Path) -> Training:
    require_types(training, file.name)
    return training if training.name != "training" else replace(training, name=file.name)


def _executed(file: Path) -> Mapping[str, Any]:
    """Run the file as a module of its own name, so that worker processes can find the classes that it defines."""
    name, root = _module_name(file)
    if "." in name and str(root) not in sys.path:
        sys.path.insert(1, str(root))
    if "." in name:
        importlib.import_module(name.rpartition(".")[0])
    loader = SourceFileLoader(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        # Not loader.exec_module, because the time limit does not fall into the machinery of imports.
        exec(loader.get_code(name) or "", vars(module))
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return vars(module)


def _module_name(file: Path) -> tuple[str, Path]:
    """The dotted name of the file (within its package, where it is in one), and the folder that the name starts in."""
    parts, folder = [file.stem], file.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    taken = sys.modules.get(parts[0])
    is_other = taken is not None and _place(taken) not in (file, folder / parts[0])
    return ("trainingdoctor_config", file.parent) if is_other else (".".join(parts), folder)


def _place(module: Any) -> Path | None:
    """The file of a module, or the folder of a package."""
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    path = Path(file).resolve()
    return path.parent if path.name == "__init__.py" else path


@contextmanager
def _one_sentence(what: str, time_limit: float) -> Iterator[None]:
    """Run a block that executes the user's file; whatever ends it early becomes a UserError."""
    try:
        with limited(time_limit), _not_ended_at_once():
            yield
    except TimeUp:
        raise UserError(
            f"{what} did not end within {time_limit:.0f} s: a config builds the training and must not run it"
        ) from None
    except SystemExit as error:
        raise UserError(
            f"{what} ends the process (sys.exit({error.code!r})){_at(error)}: remove that from the config"
        ) from None
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        place = f" ({Path(error.filename).name}{line})" if error.filename else ""
        if is_python2(error):
            raise UserError(f"{told(what, error)}; {ADVICE}") from error
        raise UserError(f"{what} is not valid Python: {error.msg}{place}") from error
    except (KeyboardInterrupt, Terminated):
        raise
    except BaseException as error:
        raise UserError(f"{what} raised {_sentence(error)}{_at(error)}") from error


@contextmanager
def _not_ended_at_once() -> Iterator[None]:
    """os._exit() of the config's is told as sys.exit() is; else exit code 0 would pass for a healthy training."""
    end, own = os._exit, os.getpid()

    def told(status: int) -> NoReturn:
        if os.getpid() != own:
            end(status)
        raise SystemExit(status)

    os._exit = told
    try:
        yield
    finally:
        os._exit = end


def _sentence(error: BaseException) -> str:
    lines = words_of(error).strip().splitlines()
    known = isinstance(error, ModuleNotFoundError) or is_python2(error)
    missing = f" ({advice_for(error)})" if known else ""
    return f"{type(error).__name__}{': ' + lines[0][:300] if lines else ''}{missing}"


def _at(error: BaseException) -> str:
    """Where in the user's files it happened."""
    place = user_line(error)
    return f" ({place})" if place else ""


@contextmanager
def in_folder_of(path: str | Path) -> Iterator[None]:
    """Run from the config's folder, with it first on the import path, and without leaving `__pycache__` there.

    The import path stays: objects may import later.
    """
    folder, before = Path(path).resolve().parent, Path.cwd()
    if not folder.is_dir():
        yield
        return
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    os.chdir(folder)
    argv, sys.argv = sys.argv, [str(path)]
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.argv, sys.dont_write_bytecode = argv, bytecode
        os.chdir(before)
