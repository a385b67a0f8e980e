"""Run a script as `python script.py` would, under observation."""

from __future__ import annotations

import linecache
import os
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from trainingdoctor.errors import UserCodeError, UserError
from trainingdoctor.loading.grammar import modernized
from trainingdoctor.measure.calling import user_line
from trainingdoctor.observing.again import note_of
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.launching import Elsewhere
from trainingdoctor.observing.limits import Enough
from trainingdoctor.observing.older import next_taken, older_taken, verbose_taken
from trainingdoctor.observing.places import is_users
from trainingdoctor.observing.progress import bars_of_text
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.remains import Remains, remains_in, remains_of
from trainingdoctor.observing.replacing import wrap
from trainingdoctor.observing.shell import Shell, without_colab
from trainingdoctor.python2 import is_python2, readable, told

ASYNC = "{}async= was read as non_blocking= ({} times): since Python 3.7 it is a keyword"


@dataclass(frozen=True)
class Ran:
    """How a script ended. names: of its module, and of its functions where it raised before its first step.  error: what it
    raised, None where it ended by itself or had been seen enough.  notes: how it was run.  said: what it printed last."""

    names: Mapping[str, object]
    error: UserCodeError | None = None
    notes: tuple[str, ...] = ()
    said: str = ""


def run_script(script: Path, arguments: Sequence[str], recorder: Recorder, source: str | None = None) -> Ran:
    """Execute it as `__main__` with these arguments, in the current folder, until it ends or has been seen enough.

    source: code to execute instead of the file's, such as a notebook's cells. Raises UserError where it is not Python's grammar,
    but for that of Python 2, which ends it at once.
    """
    text = script.read_bytes() if source is None else source.encode()
    if source is not None:
        # What is read off the source, such as the loop over the epochs, must be read off this one.
        linecache.cache[str(script)] = (len(source), None, source.splitlines(keepends=True), str(script))
    module = types.ModuleType("__main__")
    module.__file__ = str(script)
    if script.suffix == ".ipynb":
        vars(module).update(display=Shell(), get_ipython=Shell())
        without_colab()
    sys.modules["__main__"] = module
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.resolve().parent))
    sys.dont_write_bytecode = True
    try:
        code, read = _compiled(script, text)
    except UserCodeError as older:
        return _unread(older, text, vars(module))
    notes = recorder.notes
    notes.extend(read)
    with ExitStack() as stack:
        wrap(stack, SourceFileLoader, "source_to_code", partial(_imported, stack, recorder))
        older_taken(stack, recorder.outdated, text)
        next_taken(stack, recorder.outdated)
        verbose_taken(stack, notes)
        if script.suffix == ".ipynb":
            bars_of_text(stack)
        stack.enter_context(observed(recorder))
        recorder.leave = stack.close
        own = os.getpid()
        error = _ended(code, module, recorder)
        if os.getpid() != own:
            # A child of the script's that was not followed; it is not what was asked about.
            os._exit(0)
        if recorder.again:
            notes.append(note_of(recorder.again))
        if error is None or error.error is None or recorder.optimizers:
            return Ran(vars(module), error, tuple(notes), recorder.said)
        remains = remains_of(error.error, vars(module))
        return Ran(remains.names, error, (*notes, *_told(remains, "after the line that raised")))


def _cause(left: SystemExit) -> BaseException:
    """What was raised before a script, or a library for it, said sys.exit(1): Hydra does where it has printed the error."""
    before = left.__context__
    # 2 is argparse's, which has its own sentence.
    return before if left.code == 1 and isinstance(before, Exception) else left


def _unread(older: UserCodeError, text: bytes, names: dict[str, Any]) -> Ran:
    """A script in Python 2 is not run; the parts that it builds can be."""
    remains = remains_in(readable(text), names)
    return Ran(remains.names, older, _told(remains, "without running the script"))


def _told(remains: Remains, how: str) -> tuple[str, ...]:
    lines = f"built {how}, as the script says: {', '.join(remains.built)}"
    alone = f"{remains.alone} was built by itself: the script did not come to its model"
    return (*((lines,) if remains.built else ()), *((alone,) if remains.alone else ()))


def _compiled(script: Path, text: bytes) -> tuple[types.CodeType, tuple[str, ...]]:
    """The code, and what had to be read otherwise: scripts from before Python 3.7 write cuda(async=True).

    Raises UserCodeError for Python 2, and UserError for what is no Python.
    """
    try:
        return compile(text, str(script), "exec", dont_inherit=True), ()
    except (SyntaxError, ValueError) as error:
        modern, count = modernized(text)
        if count:
            with suppress(SyntaxError, ValueError):
                return compile(modern, str(script), "exec", dont_inherit=True), (ASYNC.format("", count),)
        if is_python2(error):
            raise _old(error, script.name) from None
        line = getattr(error, "lineno", None)
        said = str(getattr(error, "msg", error)).rstrip(".")
        written = (getattr(error, "text", None) or "").strip()
        raise UserError(
            f"{script.name} is not Python {sys.version_info.major}.{sys.version_info.minor}: {said}"
            + (f" ({script.name}:{line}" + (f": {written[:80]}" if written else "") + ")" if line else "")
        ) from None


def _old(error: BaseException, name: str) -> UserCodeError:
    assert isinstance(error, SyntaxError)
    return UserCodeError("the script", error, f"{Path(error.filename or name).name}:{error.lineno}", told(name, error))


def _raised(error: BaseException, name: str) -> UserCodeError:
    of_module = isinstance(error, SyntaxError) and is_users(str(error.filename))
    return (
        _old(error, name) if of_module and is_python2(error) else UserCodeError("the script", error, user_line(error))
    )


def _imported(
    stack: ExitStack,
    recorder: Recorder,
    original: Callable[..., Any],
    loader: Any,
    data: Any,
    path: Any,
    **options: Any,
) -> Any:
    """The code of a module that the script imports; the user's own are read as older versions did, too."""
    if isinstance(data, bytes) and is_users(str(path)):
        older_taken(stack, recorder.outdated, data)
    try:
        return original(loader, data, path, **options)
    except SyntaxError:
        modern, count = modernized(bytes(data)) if is_users(str(path)) and isinstance(data, bytes) else (b"", 0)
        if not count:
            raise
        code = original(loader, modern, path, **options)
        recorder.notes.append(ASYNC.format(f"in {Path(path).name} ", count))
        return code


def _ended(code: types.CodeType, module: types.ModuleType, recorder: Recorder) -> UserCodeError | None:
    own = os.getpid()
    try:
        exec(code, vars(module))
    except (Enough, Elsewhere) as seen:
        if isinstance(seen, Enough) or recorder.optimizers:
            return None
        name = Path(code.co_filename).name
        raise UserError(f"{name} starts {seen.script} as a program of its own; run: {seen.command}") from None
    except SystemExit as error:
        if os.getpid() != own:
            raise
        failed = error.code not in (None, 0) and not recorder.optimizers
        cause = _cause(error)
        return UserCodeError("the script", cause, user_line(cause)) if failed else None
    except StopIteration as error:
        return None if recorder.cut else UserCodeError("the script", error, user_line(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the script raises is a finding, and what was seen until then is diagnosed
        # An epoch without a batch is our doing, and so is what follows from it: 0 / 0, no last loss. One that was cut after its
        # first batch ends at the index 0, by which some divide.
        if recorder.emptied or (recorder.cut and isinstance(error, ZeroDivisionError)):
            return None
        recorder.break_off()
        return _raised(error, Path(code.co_filename).name)
    return None
