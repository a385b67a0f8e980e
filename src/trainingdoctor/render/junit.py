"""The report as JUnit XML, which every CI shows as tests."""

from __future__ import annotations

from xml.etree import ElementTree

from trainingdoctor.finding import Severity
from trainingdoctor.render.printable import printable
from trainingdoctor.report import Outcome, Report, Result


def render_junit(report: Report) -> str:
    """A test for each check: failed by new warnings and criticals, an error where it crashed, skipped with the reason.

    A check whose findings a baseline lists is skipped, and says what is known.
    """
    report = printable(report)
    suite = ElementTree.Element(
        "testsuite", name=_printable(f"trainingdoctor {report.target}"), tests=str(len(report.results))
    )
    cases = [_case(suite, result) for result in report.results]
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(kind) is not None for case in cases)))
    suite.set("time", f"{report.seconds:.3f}")
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, result: Result) -> ElementTree.Element:
    area, _, name = result.code.partition(".")
    case = ElementTree.SubElement(suite, "testcase", classname=area, name=name, time=f"{result.seconds:.3f}")
    standing = [f for f in result.findings if f.severity is not Severity.INFO]
    new = [f for f in standing if not f.known]
    for finding in new:
        failure = ElementTree.SubElement(
            case, "failure", message=_printable(finding.message), type=finding.severity.value
        )
        failure.text = _printable(f"{finding.message}\n{finding.remedy}")
    if standing and not new:
        told = "; ".join(f.message for f in standing)
        ElementTree.SubElement(case, "skipped", message=_printable(f"known: {told}"))
    if result.outcome is Outcome.CRASHED:
        ElementTree.SubElement(case, "error", message=_printable(result.reason)).text = _printable(result.traceback)
    if result.outcome is Outcome.SKIPPED:
        ElementTree.SubElement(case, "skipped", message=_printable(result.reason))
    return case


def _printable(text: str) -> str:
    """Without the control characters that XML 1.0 cannot hold."""
    return "".join(c for c in text if c in "\t\n" or c.isprintable())
