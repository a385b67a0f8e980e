"""Consoles: narrow ones, those without colour, those that lack our marks, and those that are read aloud."""

import io
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tests.render.test_terminal import CODE, REPORT, drawn, unwell

from trainingdoctor import UserError, info, warning
from trainingdoctor.baseline import Baseline
from trainingdoctor.check import Cost
from trainingdoctor.cli.deliver import send, send_drawn
from trainingdoctor.cli.streams import PLAIN, READABLE, make_readable, open_missing
from trainingdoctor.errors import Reason
from trainingdoctor.render.environment import print_environment
from trainingdoctor.render.terminal import print_report
from trainingdoctor.report import Outcome, Report, Result

WORD = "a" * 300
LONG = Report(
    f"{WORD}.py",
    (
        unwell("a.long", warning(f"The layer {WORD}.", f"set {WORD} to 1, please", where=(WORD, WORD))),
        unwell("b.long", info(f"It is {WORD}.", f"write {WORD} instead of it")),
        Result("c.long", Outcome.CRASHED, Cost.PROBE, f"ValueError: {WORD}"),
        Result("d.long", Outcome.SKIPPED, Cost.PROBE, f"needs {WORD}", Reason.MISSING),
        Result("e.long", Outcome.HEALTHY, Cost.PROBE),
    ),
    training={"model": {"class": WORD, "parameters": 1, "device": "cpu"}},
    broken=(f"plug-in {WORD} was not loaded",),
)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_wider_than_the_console(width: int, verbose: bool) -> None:
    for report in (LONG, REPORT):
        lines = [line for line in drawn(report, verbose=verbose, width=width) if CODE not in line]
        assert max(map(len, lines)) <= width
    assert WORD in "".join(line.strip() for line in drawn(LONG, width=width))


def test_the_environment_keeps_to_the_width() -> None:
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as text:
        print_environment(replace(LONG, results=(*LONG.results[1:4],)), console)
    assert max(map(len, text.get().splitlines())) <= 80


def piped(encoding: str, report: Report = REPORT) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    make_readable(stream)
    send_drawn(lambda console: print_report(report, console, verbose=True), stream)
    stream.flush()
    written: bytes = stream.buffer.getvalue()  # type: ignore[attr-defined]
    return written.decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_marks_that_the_console_lacks_become_plain_ones(encoding: str) -> None:
    text = piped(encoding)
    assert text.startswith("x unwell  my_config.py")
    assert "> explains loss.diverges" in text
    assert "\\u" not in text
    assert "中".encode("ascii", READABLE) == b"\\u4e2d"


def test_plain_marks_are_as_wide_as_the_marks() -> None:
    assert all(len(plain) == 1 and plain.isascii() for plain in PLAIN.values())
    plain = piped("ascii").translate({ord(v): None for v in PLAIN.values()})
    assert plain == piped("utf-8").translate({ord(c): None for c in "".join((*PLAIN, *PLAIN.values()))})


def test_a_pipe_has_no_colour_and_NO_COLOR_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in piped("utf-8")
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with console.capture() as text:
        print_report(REPORT, console)
    styles = {code for found in ANSI.findall(text.get()) for code in found[2:-1].split(";")}
    assert styles <= {"0", "1", "2"}, "bold and dim at most"


def test_read_aloud_each_line_says_in_words_what_its_mark_says() -> None:
    words = "\n".join(drawn(REPORT)).translate({ord(c): None for c in "✗✓†↳→·!-i"})
    for said in ("unwell", "warnng", "explans loss.dverges", "a.crashed crashed", "not examned:", "worth knowng"):
        assert said in words


def test_a_crashed_check_is_told_apart_from_a_failed_one() -> None:
    lines = drawn(REPORT)
    heading = lines.index("could not run, which says nothing about the training:")
    assert lines[heading + 1].startswith("  † a.crashed crashed")
    assert heading > max(i for i, line in enumerate(lines) if "lr.too_high" in line)


def test_nothing_found_names_what_was_not_examined() -> None:
    some = [Result(f"a.healthy{i}", Outcome.HEALTHY, Cost.INSPECT) for i in range(9)]
    skipped = Result("b.trains", Outcome.SKIPPED, Cost.TRAIN, "left out by --quick, because it trains", Reason.QUICK)
    lines = drawn(Report("x.py", (*some, skipped)), width=100)
    assert lines[0] == "✓ healthy  x.py  nothing found where it was examined; 1 check could not look, see below"
    assert "  - left out by --quick, because it trains: b.trains" in lines
    assert drawn(Report("x.py", tuple(some)))[0].endswith("nothing found")


def test_what_is_known_is_marked_and_what_is_gone_is_said() -> None:
    listed = Baseline(Path("known.json")).updated(REPORT, "x")
    lines = drawn(listed.compared(REPORT, "x"), width=100)
    assert lines[0].endswith("1 critical, 1 warning, 1 info (3 known)")
    assert "! lr.too_high  warning, known, 85% sure" in lines
    assert any(line.startswith("  i data.subset (known): ") for line in lines)
    healthy = replace(REPORT, results=(Result("lr.too_high", Outcome.HEALTHY, Cost.PROBE),))
    gone = drawn(listed.compared(healthy, "x"))
    assert "  + no longer found, and still in known.json: lr.too_high at optimizer" in gone


def test_standard_streams_are_made_readable() -> None:
    make_readable(sys.stdout, None, object())


def test_a_stream_that_is_closed_is_the_null_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    open_missing()
    print("nobody reads it")
    sys.stdout.close()
    assert sys.stdout.name == os.devnull
    assert sys.stderr.name != os.devnull


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_what_standard_output_does_not_take_is_one_sentence() -> None:
    with (
        Path("/dev/full").open("w") as full,
        pytest.raises(UserError, match="standard output cannot be written: No space"),
    ):
        send("a report", full)
