"""The errors that are not bugs: each is one sentence that says what is wrong, where, and what to do."""

from __future__ import annotations

import re
from contextlib import suppress
from enum import StrEnum
from textwrap import shorten
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainingdoctor.report import Report


class UserError(Exception):
    """Wrong usage, or a config that cannot be loaded. The command line prints it and exits with 2."""


class Terminated(BaseException):
    """SIGTERM came. Not an Exception nor a SystemExit, so that it is not taken for something that the user's code raised."""


class TrainingUnwell(Exception):
    """Raised into an observed loop that is to be stopped on findings. report: the whole diagnosis."""

    def __init__(self, told: str, report: Report) -> None:
        super().__init__(told)
        self.report = report


class Reason(StrEnum):
    """Why something was not measured or not judged."""

    NOT_APPLICABLE = "not applicable"
    MISSING = "missing"
    FAILED = "failed"
    QUICK = "quick"
    TIME = "time"


class Unavailable(Exception):
    """Raised by evidence (or a check) that does not apply to this training; its text is the reason, for people."""

    def __init__(self, text: str, reason: Reason = Reason.NOT_APPLICABLE) -> None:
        super().__init__(text)
        self.reason = reason


class UserCodeError(Exception):
    """The user's own code raised while it was being examined, or gave what nothing can be done with.

    `stage` names what was called ("the model's forward"), `where` is the innermost `file:line` of the user's code.
    said: the whole sentence, where nothing was raised.  retried_with: the samples in a batch with which it was tried again
    for want of memory; None where it was not.  went_on: it was done in another way, and what comes after it was examined.
    advice: what to do where it is not the training that is at fault.  loop_did: the watched loop did the same without an error.
    """

    retried_with: int | None = None
    went_on: bool = False
    loop_did: bool = False

    def __init__(
        self, stage: str, error: BaseException | None = None, where: str | None = None, said: str | None = None
    ) -> None:
        self.stage, self.error, self.where = stage, error, where
        place = f" ({where})" if where else ""
        super().__init__(said or f"{stage} raised {_told(error)}{place}")

    @property
    def advice(self) -> str:
        """What to do, where the error's words tell it."""
        return advice_for(self.error)


class Outdated(UserCodeError):
    """What a script says for an older version of torch and raises in this one; it was read as it was meant, and the script went on.

    written, now: the call as it is and as it should be.  where: the first `file:line` of the user's code that said it.
    """

    went_on = True

    def __init__(self, written: str, now: str, where: str) -> None:
        place = f" ({where})" if where else ""
        super().__init__(
            "the script", where=where or None, said=f"{written} raises an error in this version of torch{place}"
        )
        self.written, self.now = written, now

    @property
    def advice(self) -> str:
        """What to write."""
        return f"write {self.now} wherever the script says {self.written}; it was read so here, and the rest examined"


# What terminals take for colours and bold letters.
COLOURS = re.compile("\x1b\\[[0-9;]*m")


def words_of(error: BaseException | None) -> str:
    """The text of an error, without what colours it; nothing for one whose own `__str__` raises."""
    try:
        return COLOURS.sub("", str(error))
    except Exception:  # noqa: BLE001 - it is the user's
        return ""


def one_line(error: BaseException) -> str:
    """The error's class and the first line of its text."""
    lines = words_of(error).strip().splitlines()
    return f"{type(error).__name__}{': ' + lines[0][:300] if lines else ''}"


def _told(error: BaseException | None) -> str:
    """The error's class and first line; for one that a worker process passed on, those of the original."""
    lines = words_of(error).strip().splitlines()
    if lines and lines[0].startswith("Caught ") and len(lines) > 1:
        return f"{_cut(lines[-1])}, in a worker process"
    return f"{type(error).__name__}{': ' + _cut(lines[0].rstrip('.: ')) if lines else ''}"


def _cut(line: str, most: int = 200) -> str:
    """Between two words, where it is too long; a single long word as it comes."""
    return shorten(line, most, placeholder="") if " " in line[:most] else line[:most]


# Words in which libraries say that data could not be had from the network.
NO_NETWORK = (
    "urlopen error",
    "error downloading",
    "name or service not known",
    "max retries exceeded",
    "couldn't connect",
)
NETWORK_ERRORS = ("URLError", "HTTPError", "ConnectionError", "LocalEntryNotFoundError", "OfflineModeIsEnabled")


RELATIVE = (
    "relative paths count from the folder where trainingdoctor is started, as with `python`; a notebook's from its own"
)


def advice_for(error: BaseException | None) -> str:
    """What to do where it is not the training that is at fault, but what it finds around it; "" where nothing is known."""
    from trainingdoctor.python2 import ADVICE, is_python2

    if is_python2(error):
        return ADVICE if isinstance(error, SyntaxError) else f"this is Python 2: {ADVICE}"
    if isinstance(error, ImportError) and (advice := _misfit(error)):
        return advice
    if isinstance(error, ModuleNotFoundError):
        return "install it, or run trainingdoctor in the environment of your training"
    said = words_of(error).lower()
    named = any(k.__name__ in NETWORK_ERRORS for k in type(error).__mro__)
    if named or (isinstance(error, OSError | RuntimeError) and any(words in said for words in NO_NETWORK)):
        return "it wants to download this: put it where the script looks for it, or run this where there is network"
    if "weights only load failed" in said:
        return "torch.load(..., weights_only=False) reads all that a file holds, as before torch 2.6, if you trust it"
    return RELATIVE if isinstance(error, FileNotFoundError) else ""


def _misfit(error: ImportError) -> str:
    """What to do where the package is installed, and lacks what the script asks of it; "" otherwise."""
    from importlib.metadata import PackageNotFoundError, version

    package, _, part = (error.name or "").partition(".")
    if isinstance(error, ModuleNotFoundError) and not part:
        return ""
    with suppress(PackageNotFoundError, ValueError):
        return (
            f"the {package} {version(package)} that is installed has none: install the version that it was written for, "
            "or change the import"
        )
    return ""
