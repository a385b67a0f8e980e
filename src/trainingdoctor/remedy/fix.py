"""A fix: a function that turns one finding into edits of the source. Its docstring says what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from inspect import cleandoc
from typing import Any

from trainingdoctor.ask import asks
from trainingdoctor.errors import Terminated, UserError, one_line
from trainingdoctor.finding import Finding
from trainingdoctor.remedy.arguments import Edit

GROUP = "trainingdoctor.fixes"


class NotFixable(Exception):
    """A finding that cannot be cured by rewriting the source; the message is a sentence that says why."""


@dataclass(frozen=True)
class Fix:
    """A registered fix. needs: what it asks for by name: `finding`, `provenance`, a field of the training, evidence."""

    codes: tuple[str, ...]
    function: Callable[..., Iterable[Edit]]
    needs: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What it does, in one sentence."""
        return cleandoc(self.function.__doc__ or "").partition("\n")[0]


@dataclass(frozen=True)
class Proposal:
    """What is to be done about one finding. edits: none where it cannot be done, for the `reason`."""

    finding: Finding
    title: str = ""
    edits: tuple[Edit, ...] = ()
    reason: str = ""

    @property
    def code(self) -> str:
        """Of the finding."""
        return self.finding.code


def fix(*codes: str, optional: tuple[str, ...] = ()) -> Callable[[Callable[..., Iterable[Edit]]], Fix]:
    """Make a fix of a function that gives edits. Raise NotFixable in one sentence where that cannot be done safely.

    Its parameters ask by name for the `finding`, the `provenance` (which call of the user's built what), a field of
    `Training` or evidence, as those of a check do; those named in `optional` come as None when absent.
    """

    def wrap(function: Callable[..., Iterable[Edit]]) -> Fix:
        return Fix(codes, function, asks(function).needs, optional)

    return wrap


def load_fixes(broken: list[str] | None = None) -> Mapping[str, Fix]:
    """All installed fixes, by code: entry points of the group `trainingdoctor.fixes`, each a tuple of them.

    broken: is given a sentence for each plug-in that cannot be loaded; without it, that raises UserError.
    """
    found: dict[str, Fix] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name != "builtin", p.name)):
        try:
            items: Any = point.load()
        except (KeyboardInterrupt, Terminated):
            raise
        except BaseException as error:
            said = f"plug-in {point.name!r} ({point.value}) was not loaded: {one_line(error)}"
            if broken is None:
                raise UserError(said) from error
            broken.append(said)
            continue
        found.update({code: item for item in items for code in item.codes if code not in found})
    return found
