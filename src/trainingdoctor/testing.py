"""Two verbs for the tests of a check: on evidence made by hand, or on a whole training.

    from trainingdoctor.measure.batches import BatchSize
    from trainingdoctor.testing import assert_healthy, assert_unwell

    def test_odd_batches_are_found():
        assert_unwell(batch_size_is_even, BatchSize(33), severity="warning", mentions="33")

    def test_even_batches_are_fine():
        assert_healthy(batch_size_is_even, BatchSize(32))

The arguments are those of a plain call of the check: evidence in the order of its parameters, thresholds by name. A
`Training` in place of the evidence is measured, by the same runner as in a diagnosis; measurements that no installed
plug-in brings go behind it: `assert_healthy(check, training, my_evidence)`. A check that yields several findings at
once is called plainly: `check(evidence)` is the list of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainingdoctor.check import Check
from trainingdoctor.evidence import Evidence
from trainingdoctor.finding import Finding, Note, Severity
from trainingdoctor.registry import load_registry
from trainingdoctor.report import Outcome, Result
from trainingdoctor.runner import Diagnosis, quiet, told
from trainingdoctor.settings import Settings
from trainingdoctor.training import Training

__all__ = ["assert_healthy", "assert_unwell"]


def assert_healthy(check: Check, *evidence: Any, **thresholds: Any) -> tuple[Note, ...]:
    """Fail unless the check finds nothing at all, not even an info. Returns what it noted.

    On a training, a check that was skipped fails as well: what was not examined is not healthy.
    """
    __tracebackhide__ = True
    examined = _examine(check, evidence, thresholds)
    if examined.result.outcome is not Outcome.HEALTHY:
        raise AssertionError(examined.story("was to find nothing", [examined.outcome()]))
    return examined.result.notes


def assert_unwell(
    check: Check,
    *evidence: Any,
    severity: Severity | str | None = None,
    mentions: str | Iterable[str] = (),
    **thresholds: Any,
) -> Finding:
    """Fail unless the check finds exactly one thing, with a message and a remedy. Returns the finding.

    severity: what it must be; any when None.  mentions: texts, each of which its message, remedy or places must
    contain. The finding carries the check's code, `explains` and `references`, as in a report.
    """
    __tracebackhide__ = True
    wanted = None if severity is None else Severity(severity)
    texts = (mentions,) if isinstance(mentions, str) else tuple(mentions)
    examined = _examine(check, evidence, thresholds)
    findings = examined.result.findings
    wrong = list(_lacking(findings[0], wanted, texts)) if len(findings) == 1 else [examined.outcome()]
    if wrong:
        raise AssertionError(examined.story(f"was to find one thing{f' ({wanted})' if wanted else ''}", wrong))
    return findings[0]


def _lacking(finding: Finding, severity: Severity | None, texts: tuple[str, ...]) -> Iterator[str]:
    if severity not in (None, finding.severity):
        yield f"what it found is of severity {finding.severity}"
    for part in ("message", "remedy"):
        if not getattr(finding, part).strip():
            yield f"what it found has no {part}"
    said = "\n".join((finding.message, finding.remedy, *finding.where))
    yield from (f"what it found does not mention {text!r}" for text in texts if text not in said)


@dataclass(frozen=True)
class _Examined:
    """One check, what it was given, and its result."""

    check: Check
    given: Mapping[str, Any]
    thresholds: Mapping[str, Any]
    result: Result

    def outcome(self) -> str:
        if self.result.outcome in (Outcome.SKIPPED, Outcome.CRASHED):
            return f"it {'was ' * (self.result.outcome is Outcome.SKIPPED)}{self.result.outcome}: {self.result.reason}"
        count = len(self.result.findings)
        return f"it found {'nothing' if not count else '1 thing' if count == 1 else f'{count} things'}"

    def story(self, wish: str, wrong: list[str]) -> str:
        """What was wanted, what came instead, and of what: enough to see why without a debugger."""
        lines = [f"{self.check.code} {wish}, but {'; '.join(wrong)}"]
        for finding in self.result.findings:
            lines += [f"  {finding.severity}: {finding.message}", f"    remedy: {finding.remedy}"]
            lines += [f"    where: {place}" for place in finding.where]
            lines += [f"    {name} = {_short(value)}" for name, value in finding.evidence.items()]
        lines += [f"  note: {note.message}" for note in self.result.notes]
        lines += [f"given {name} = {_short(value)}" for name, value in self.given.items()]
        lines += [f"with {name} = {value!r}" for name, value in self.thresholds.items()]
        return "\n".join([*lines, self.result.traceback]).rstrip()


def _examine(check: Check, given: tuple[Any, ...], thresholds: Mapping[str, Any]) -> _Examined:
    if given and isinstance(given[0], Training):
        result = _measured(check, given[0], given[1:], thresholds)
        return _Examined(check, {"training": given[0].name}, thresholds, result)
    result = told(check, check(*given, **thresholds))
    return _Examined(check, dict(zip(check.needs, given, strict=False)), thresholds, result)


def _measured(
    check: Check, training: Training, measurements: tuple[Evidence, ...], thresholds: Mapping[str, Any]
) -> Result:
    registry = load_registry()
    registry.add(measurements)
    settings = Settings(thresholds={check.code: thresholds})
    with quiet():
        return Diagnosis(training, registry, settings, seed=0, started=time.perf_counter()).result(check)


def _short(value: Any, most: int = 300) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."
