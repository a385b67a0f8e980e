"""What the commands that measure one thing share: load the config, refuse with a sentence, say how far it is."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from trainingdoctor.errors import Unavailable, UserCodeError, UserError

if TYPE_CHECKING:
    from trainingdoctor.training import Training


@contextlib.contextmanager
def examined(config: Path, command: str, needs: tuple[str, ...], device: str | None = None) -> Iterator[Training]:
    """The config's training, on `device`. What its code prints goes to standard error.

    Raises UserError for a config that lacks what the command needs, and for what cannot be measured in the block.
    """
    from trainingdoctor.loading.config import load_config
    from trainingdoctor.measuring import ADD

    with contextlib.redirect_stdout(sys.stderr):
        training = load_config(config)
        missing = [name for name in needs if getattr(training, name) is None]
        if missing:
            add = " and ".join(f"`{ADD[name]}`" for name in missing)
            raise UserError(f"{command} needs {', '.join(missing)}: add {add} to {config}")
        try:
            with _placed(training, device):
                yield training
        except (Unavailable, UserCodeError) as error:
            raise UserError(f"{command} could not measure {config}: {error}") from error


@contextlib.contextmanager
def _placed(training: Training, device: str | None) -> Iterator[None]:
    if device is None:
        yield
        return
    from trainingdoctor.measure.place import placed

    with placed(training, device):
        yield


@contextlib.contextmanager
def status(words: str) -> Iterator[Callable[[int, int], object]]:
    """`words` and a share on a terminal; silent in a pipe."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console

    with Console(stderr=True).status(words) as line:
        yield lambda done, total: line.update(f"{words}  {done}/{total}")
