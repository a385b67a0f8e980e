"""The report as JUnit XML, which every CI shows as tests."""

from __future__ import annotations

from xml.etree import ElementTree

from trainingdoctor.finding import Severity
from trainingdoctor.render.printable import printable
from trainingdoctor.report import Outcome, Report, Result


def render_junit(report: Report) -> str:
    """A test for each check: failed by warnings and criticals, an error where it crashed, skipped with the reason."""
    report = printable(report)
    failed = [r for r in report.results if _failures(r)]
    suite = ElementTree.Element(
        "testsuite",
        name=_printable(f"trainingdoctor {report.target}"),
        tests=str(len(report.results)),
        failures=str(len(failed)),
        errors=str(sum(r.outcome is Outcome.CRASHED for r in report.results)),
        skipped=str(sum(r.outcome is Outcome.SKIPPED for r in report.results)),
        time=f"{report.seconds:.3f}",
    )
    for result in report.results:
        area, _, name = result.code.partition(".")
        case = ElementTree.SubElement(suite, "testcase", classname=area, name=name, time=f"{result.seconds:.3f}")
        for message, remedy in _failures(result):
            ElementTree.SubElement(case, "failure", message=message).text = _printable(f"{message}\n{remedy}")
        if result.outcome is Outcome.CRASHED:
            ElementTree.SubElement(case, "error", message=_printable(result.reason)).text = _printable(result.traceback)
        if result.outcome is Outcome.SKIPPED:
            ElementTree.SubElement(case, "skipped", message=_printable(result.reason))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _failures(result: Result) -> list[tuple[str, str]]:
    standing = [f for f in result.findings if f.severity is not Severity.INFO]
    return [(_printable(f.message), f.remedy) for f in standing]


def _printable(text: str) -> str:
    """Without the control characters that XML 1.0 cannot hold."""
    return "".join(c for c in text if c in "\t\n" or c.isprintable())
