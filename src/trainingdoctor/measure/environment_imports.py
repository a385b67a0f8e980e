"""Which imports end the process: a library for another processor or system dies by a signal, and nothing catches that."""

import signal
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec

# An import that takes longer hangs (a network file system, a lock).
SECONDS = 120.0
# Prints each name before it is imported, so that the last line tells which one ended the process.
TRIED = """
import sys
sys.path[:] = {path!r}
for name in {names!r}:
    sys.__stderr__.write("\\n" + name + "\\n")
    sys.__stderr__.flush()
    try:
        __import__(name)
    except BaseException:
        pass
sys.__stderr__.write("\\nend\\n")
"""


def fatal_imports(names: Iterable[str]) -> dict[str, str]:
    """Of the packages that are not imported yet, those that cannot be imported without ending the process, and how."""
    fatal: dict[str, str] = {}
    left = [name for name in names if name not in sys.modules]
    while left:
        culprit, how = _tried(left)
        if culprit is None:
            break
        fatal[culprit] = f"import {culprit} {how}"
        left.remove(culprit)
    return fatal


def _tried(names: list[str]) -> tuple[str | None, str]:
    code = TRIED.format(path=sys.path, names=names)
    try:
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as late:
        return _last(names, late.stderr or b""), f"does not end within {SECONDS:.0f} s"
    if child.returncode < 0:
        return _last(names, child.stderr), f"ends the process with {_signal(-child.returncode)}"
    # Not `end`: the module left the process by os._exit.
    left = _last([*names, "end"], child.stderr) not in ("end", None)
    return (_last(names, child.stderr) if left else None), f"ends the process with exit code {child.returncode}"


def _last(names: list[str], printed: bytes) -> str | None:
    lines = [line for line in printed.decode(errors="replace").splitlines() if line in names]
    return lines[-1] if lines else None


def _signal(number: int) -> str:
    known = {int(s): s.name for s in signal.Signals}
    meaning = " (illegal instruction: built for another processor)" if known.get(number) == "SIGILL" else ""
    return known.get(number, f"signal {number}") + meaning


def place_of(name: str) -> str | None:
    """The file that `import name` would run; it may be one of the user's that has the name of a package."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    return spec.origin or next(iter(spec.submodule_search_locations or ()), None)
