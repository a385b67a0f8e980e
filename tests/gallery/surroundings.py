"""What surrounds a run: disks, folders, pipes, signals, memory. The config is healthy.

Each is prepared in this process, or, where it has a `shell`, it is the real thing around a process of its own.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.gallery.row import Row

WRITE = Path.write_bytes


@dataclass(frozen=True)
class Surrounding:
    """A row, and what is the matter around it. around: gets the config's folder; active while the command runs."""

    row: Row
    around: Callable[[Path], Any]


def around(name: str, within: Callable[[Path], Any], config: str = "", said: str = "", **more: Any) -> Surrounding:
    """A healthy config unless it says otherwise."""
    return Surrounding(Row(name, config, said, **{"exit": 0, **more}), within)


@contextmanager
def writing_raises(number: int) -> Iterator[None]:
    """A write to a report's file fails as on a full or read-only disk."""

    def write(self: Path, data: bytes) -> int:
        if self.suffix in (".json", ".html", ".py") and "config" not in self.name:
            raise OSError(number, os.strerror(number))
        return WRITE(self, data)

    with patch.object(Path, "write_bytes", write):
        yield


def full(_: Path) -> Any:
    """No space left on the device."""
    return writing_raises(errno.ENOSPC)


def read_only(_: Path) -> Any:
    """The file system is read-only, though the permission bits do not say so."""
    return writing_raises(errno.EROFS)


def not_permitted(_: Path) -> Any:
    """Nothing may be written, and the permission bits say so."""
    return patch("os.access", lambda _path, mode, **_: mode != os.W_OK)


@contextmanager
def without_home(_: Path) -> Iterator[None]:
    """No HOME, and no entry for the user."""
    with patch.dict(os.environ), patch.object(Path, "home", side_effect=RuntimeError("no home")):
        os.environ.pop("HOME", None)
        yield


def index_broken(folder: Path) -> Any:
    """The index of kept runs is no database."""
    (folder / ".trainingdoctor").mkdir()
    (folder / ".trainingdoctor" / "index.sqlite").write_text("no database")
    return patch.dict(os.environ)


def nowhere(_: Path) -> Any:
    """Nothing special."""
    return patch.dict(os.environ)


def variables(**values: str) -> Callable[[Path], Any]:
    """Odd environment variables."""
    return lambda _: patch.dict(os.environ, values)


SAVES = ("--quick", "--save")
INTERRUPTS = "def forward(*_): os.kill(os.getpid(), signal.{0}); time.sleep(5)\nmodel.forward = forward"
# Only root writes where permission bits forbid it, and only as long as it may.
OBEYING = '$([ "$(id -u)" = 0 ] && echo setpriv --bounding-set=-dac_override)'
TWICE = "{command} --save & {command} --save && wait $! && test $(ls .trainingdoctor/runs | wc -l) = 2"
# What is left of the address space holds 256 MiB: 4 samples of 64 MiB, not the 8 of a batch.
LITTLE = """
import resource
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
def forward(x):
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 28), resource.getrlimit(resource.RLIMIT_AS)[1]))
    return nn.Sequential.forward(model, x) + torch.zeros(len(x), 1 << 24).sum()
model.forward = forward
"""
KILLED = """
for a, b in train_loader:
    optimizer.zero_grad()
    criterion(model(a), b).backward()
    optimizer.step()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def real(name: str, shell: str, said: str = "", config: str = "", **more: Any) -> Surrounding:
    """The real thing, by a shell."""
    return around(name, nowhere, config, said, slow=True, shell=shell, **more)


REAL = (
    real("files end at 4 KiB", "ulimit -f 4; {command}", "cannot be written: File too large", exit=2, judged=0),
    real("files end at 4 KiB, the run is to be kept", "ulimit -f 4; {command} --save", "cannot be used to keep runs", exit=2, judged=0),
    real("standard output on a full disk", "{command} > /dev/full", "standard output cannot be written: No space left on device", exit=2),
    real("the report on a full disk", "{command} --output /dev/full", "cannot be written: No space left on device", exit=2),
    real("standard output is read by nobody", "set -o pipefail; {command} | true", "standard output cannot be written: Broken pipe", exit=2),
    real("only the first line is read", "set -o pipefail; {command} | head -1"),
    real("standard output is closed", "{command} >&-"),
    real("two at once in one folder, both kept", TWICE),
    real("permission bits forbid the folder", f"chmod 555 .; {OBEYING} {{command}}"),
    real("permission bits forbid the folder, the run is to be kept", f"chmod 555 .; {OBEYING} {{command}} --save", "cannot be used to keep runs", exit=2, judged=0),
    real("an empty environment", 'env -i PATH="$PATH" PYTHONPATH="$PYTHONPATH" {command}'),
    real("the address space ends in forward", "{command}", "smaller batch", LITTLE),
    real("the system kills a script", "{command} --as script", "was killed", KILLED, exit=2, judged=0),
)  # fmt: skip
ROWS = (
    *REAL,
    around("full disk", full, said="cannot be written: No space left on device", exit=2, judged=0),
    around("read-only disk", read_only, said="cannot be written: Read-only file system", exit=2, judged=0),
    around("read-only folder", not_permitted, said="cannot be written: no permission", exit=2, judged=0),
    around("full disk, the run is to be kept", full, said="cannot be", options=SAVES, exit=2, judged=0, touches=("index.sqlite",)),
    around("the index of runs is broken", index_broken, said="cannot be used to keep runs", options=SAVES, exit=2, judged=0, touches=("index.sqlite", "report.json")),
    around("two runs in one folder", nowhere, options=SAVES, touches=("index.sqlite", "report.json")),
    around("no HOME", without_home),
    around("no TERM, one column", variables(TERM="", COLUMNS="1")),
    around("odd locale", variables(LC_ALL="klingon", LANG="")),
    around("odd thread counts", variables(OMP_NUM_THREADS="many", MKL_NUM_THREADS="-1")),
    around("Ctrl-C in forward", nowhere, INTERRUPTS.format("SIGINT"), "interrupted", exit=130, judged=10),
    around("SIGTERM in forward", nowhere, INTERRUPTS.format("SIGTERM"), "terminated", exit=143, judged=10),
    around("Ctrl-C in the data set", nowhere, "pairs.__class__.__getitem__ = lambda *_: os.kill(os.getpid(), signal.SIGINT)\n", "interrupted", exit=130, judged=10, slow=True),
    around("Ctrl-C at import", nowhere, "os.kill(os.getpid(), signal.SIGINT); time.sleep(5)", "interrupted", exit=130, judged=0, options=("--as", "config")),
    around("SIGTERM at import", nowhere, "os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)", "terminated", exit=143, judged=0, options=("--as", "config")),
)  # fmt: skip
