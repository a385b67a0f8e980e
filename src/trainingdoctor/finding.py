"""What a check has to say: a `Finding` (something is wrong) or a `Note` (what was seen when all is well)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How much a finding matters, worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for critical, 1 for warning, 2 for info."""
        return list(Severity).index(self)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    message: what is, with this run's numbers.  remedy: what to do, as concrete as code or a value to set.
    where: modules, parameter groups, config keys or file:line.  evidence: JSON-able numbers behind the message.
    confidence: 0..1.  `code`, `explains` and `references` are stamped by the runner from the check, and `known` where a
    baseline lists it.
    """

    severity: Severity
    message: str
    remedy: str
    where: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    confidence: float = 0.9
    code: str = ""
    explains: tuple[str, ...] = ()
    explained_by: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    known: bool = False


@dataclass(frozen=True)
class Note:
    """What a check saw that is in order: `trainingdoctor env` and verbose reports print it."""

    message: str


def _finding(
    severity: Severity,
    message: str,
    remedy: str,
    where: tuple[str, ...] | str,
    confidence: float,
    evidence: Mapping[str, Any],
) -> Finding:
    places = (where,) if isinstance(where, str) else tuple(where)
    return Finding(
        severity=severity, message=message, remedy=remedy, where=places, confidence=confidence, evidence=dict(evidence)
    )


def critical(
    message: str, remedy: str, *, where: tuple[str, ...] | str = (), confidence: float = 0.95, **evidence: Any
) -> Finding:
    """The training cannot work, or loses most of its accuracy."""
    return _finding(Severity.CRITICAL, message, remedy, where, confidence, evidence)


def warning(
    message: str, remedy: str, *, where: tuple[str, ...] | str = (), confidence: float = 0.85, **evidence: Any
) -> Finding:
    """The training loses accuracy that its recipe should reach."""
    return _finding(Severity.WARNING, message, remedy, where, confidence, evidence)


def info(
    message: str, remedy: str, *, where: tuple[str, ...] | str = (), confidence: float = 0.7, **evidence: Any
) -> Finding:
    """Worth knowing; healthy trainings have it too."""
    return _finding(Severity.INFO, message, remedy, where, confidence, evidence)
