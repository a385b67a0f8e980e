"""What surrounds a run: disks, folders, pipes, signals, memory. Each is prepared in this process; the config is healthy."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.gallery.row import Row

WRITE = Path.write_text


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

    def write(self: Path, text: str, **options: Any) -> int:
        if self.suffix in (".json", ".html", ".py") and "config" not in self.name:
            raise OSError(number, os.strerror(number))
        return WRITE(self, text, **options)

    with patch.object(Path, "write_text", write):
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
ROWS = (
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
