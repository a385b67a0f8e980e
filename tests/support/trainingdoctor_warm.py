"""Processes that have torch already: forked from a server in milliseconds, where a fresh interpreter imports for seconds.

Named after trainingdoctor because a cure forgets the user's modules, of which the tests' are some.
"""

import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any
from unittest.mock import patch

import trainingdoctor_checks
from trainingdoctor import measure, observing

# What a diagnosis imports; _dynamo comes with the first optimizer.
MODULES = (
    *("torch", "torch._dynamo", "torchvision", "trainingdoctor.cli", "trainingdoctor.runner"),
    *(f"{p.__name__}.{m.name}" for p in (measure, observing, trainingdoctor_checks) for m in iter_modules(p.__path__)),
)
# Its server is started when it is first asked, one for each process of the tests, and ends with that.
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(list(MODULES))


class WarmProcess:
    """As much of `subprocess.Popen` as is needed, for `[python, "-c", code, ...]` and `[python, "-m", module, ...]`.

    stdin, stdout, stderr: as for Popen; standard error may be STDOUT.  start_new_session: always.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.STDOUT,
        start_new_session: bool = True,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        reader, writer = CONTEXT.Pipe(duplex=False) if stdout == subprocess.PIPE else (None, stdout)
        ends = [_end(e) for e in (stdin, writer, writer if stderr == subprocess.STDOUT else stderr)]
        where = str(cwd or Path.cwd())
        self._process = CONTEXT.Process(target=_enter, args=(list(command[1:]), ends, where, dict(env or os.environ)))
        # A child begins with its parent's main module, which may be a script that a test has observed.
        with patch.dict(sys.modules, {"__main__": ModuleType("__main__")}):
            self._process.start()
        for end in (*ends, writer):
            if isinstance(end, Connection):
                end.close()
        self.stdout = None if reader is None else os.fdopen(os.dup(reader.fileno()), "rb")
        if reader is not None:
            reader.close()
        self.pid = self._process.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once there is one. Raises TimeoutExpired."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Unless it is gone."""
        if self.poll() is None and self.pid is not None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """At once."""
        self.send_signal(signal.SIGKILL)


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run(command, capture_output=True, text=True)` gives."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = WarmProcess(command, stdout=out.fileno(), stderr=err.fileno(), **options).wait()
        said = [file.seek(0) or file.read() for file in (out, err)]
    return subprocess.CompletedProcess(command, code, *said)


def ranks(command: Sequence[str], folder: Path, count: int = 2) -> list[subprocess.CompletedProcess[str]]:
    """The command in as many processes, with the environment that torchrun gives them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    own = [{**common, "RANK": str(r), "LOCAL_RANK": str(r), "LOCAL_WORLD_SIZE": str(count)} for r in range(count)]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda env: run(command, cwd=folder, env=env), own))


class Warm:
    """In place of the module `subprocess`, where `Popen` is all that is called."""

    Popen = WarmProcess
    PIPE, STDOUT, DEVNULL, TimeoutExpired = (
        subprocess.PIPE,
        subprocess.STDOUT,
        subprocess.DEVNULL,
        subprocess.TimeoutExpired,
    )


def _end(of: Any) -> Connection:
    """A descriptor in the form in which it reaches the child."""
    if of == subprocess.DEVNULL:
        return Connection(os.open(os.devnull, os.O_RDWR))
    return Connection(os.dup(of if isinstance(of, int) else of.fileno()))


def _enter(command: list[str], ends: list[Connection], folder: str, environment: dict[str, str]) -> None:
    """In the child: become what a fresh interpreter with this command would be, and leave as it would."""
    os.setsid()
    for number, end in enumerate(ends):
        os.dup2(end.fileno(), number)
        end.close()
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdout.reconfigure(write_through="PYTHONUNBUFFERED" in environment)
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in environment
    sys.path.insert(0, "" if command[0] == "-c" else folder)
    sys.argv = [command[0], *command[2:]]
    if command[0] == "-c":
        exec(command[1], {"__name__": "__main__"})
    else:
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
