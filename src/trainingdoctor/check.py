"""A check: a generator function that reads evidence and yields findings. Its docstring is its manual."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from inspect import cleandoc
from typing import Any

from trainingdoctor.ask import Threshold, asks
from trainingdoctor.finding import Finding, Note

Verdicts = Iterator[Finding | Note]
CODE = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")


class Cost(StrEnum):
    """What it takes to answer: reading objects, some batches, or short trainings. `--quick` leaves out `train`."""

    INSPECT = "inspect"
    PROBE = "probe"
    TRAIN = "train"

    @property
    def rank(self) -> int:
        """0 for inspect, 1 for probe, 2 for train."""
        return list(Cost).index(self)


@dataclass(frozen=True)
class Check:
    """A registered check. Call it like the function it wraps: `check(evidence, threshold=...)` gives the findings."""

    code: str
    function: Callable[..., Verdicts]
    cost: Cost
    explains: tuple[str, ...]
    explained_by: tuple[str, ...]
    references: tuple[str, ...]
    needs: tuple[str, ...]
    thresholds: Mapping[str, Threshold]

    def __call__(self, *evidence: Any, **thresholds: Any) -> list[Finding | Note]:
        return list(self.function(*evidence, **thresholds))

    @property
    def area(self) -> str:
        """The part of the code before the dot: `batchnorm` of `batchnorm.momentum`."""
        return self.code.partition(".")[0]

    @property
    def manual(self) -> str:
        """The whole docstring."""
        return cleandoc(self.function.__doc__ or "")

    @property
    def title(self) -> str:
        """The first line of the docstring."""
        return self.manual.partition("\n")[0]


def check(
    code: str,
    *,
    cost: Cost | str = Cost.INSPECT,
    explains: tuple[str, ...] = (),
    explained_by: tuple[str, ...] = (),
    references: tuple[str, ...] = (),
) -> Callable[[Callable[..., Verdicts]], Check]:
    """Make a check of a generator function.

    Positional parameters ask by name for a field of `Training` or an evidence; keyword-only parameters are
    thresholds. cost: the largest cost among what it asks for.  explains: codes (or `area.*`) of the symptoms this
    cause brings about.  explained_by: the same from the symptom's side. Raises ValueError for a code that is not `area.fault` in lower case.
    """
    if not CODE.fullmatch(code):
        raise ValueError(f"a check's code is `area.fault` in lower case, not {code!r}")

    def wrap(function: Callable[..., Verdicts]) -> Check:
        ask = asks(function)
        return Check(code, function, Cost(cost), explains, explained_by, references, ask.needs, ask.thresholds)

    return wrap
