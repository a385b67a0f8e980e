"""Nothing is sent, nothing foreign is executed but the config, and no name of the user's becomes markup."""

import ast
import json
import re
import socket
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from rich.console import Console
from tests.conftest import build
from tests.render.test_terminal import unwell
from torch import nn
from typer.testing import CliRunner

import trainingdoctor
import trainingdoctor.registry
from trainingdoctor import UserError, diagnose, warning
from trainingdoctor.check import Cost
from trainingdoctor.cli import app
from trainingdoctor.errors import Reason
from trainingdoctor.reference.checkpoint import load_checkpoint
from trainingdoctor.render.html import render_html
from trainingdoctor.render.json import render_json
from trainingdoctor.render.junit import render_junit
from trainingdoctor.render.markdown import render_markdown
from trainingdoctor.render.sarif import render_sarif
from trainingdoctor.render.terminal import print_report
from trainingdoctor.report import Outcome, Report, Result
from trainingdoctor.settings import Settings

SOURCES = sorted(Path(trainingdoctor.__file__).parent.rglob("*.py"))
NAMES = (
    "<script>alert(1)</script>",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "[bold]x[/bold]",
    "[/nothing]",
    "a\nb",
    "a|b",
    "`rm`",
    "\x9b31m",
    "\u202egnp",
)
PICKLED = {"observing/launch.py", "observing/child.py", "reference/data.py"}


def report_of(name: str) -> Report:
    """A report with that name in every place that a user's name gets to."""
    results = (
        unwell(
            "lr.too_high",
            warning(f"The layer {name} is too high.", f"lr = 1  # {name}", where=(name, f"{name}.weight")),
        ),
        Result("a.crashed", Outcome.CRASHED, Cost.PROBE, f"ValueError: {name}", traceback=name),
        Result("a.skipped", Outcome.SKIPPED, Cost.PROBE, f"your code raised {name}", Reason.FAILED),
    )
    optimizer = [{"class": name, "lr": 0.1}]
    training = {"model": {"class": name, "parameters": 3, "device": name}, "optimizer": optimizer, "scheduler": [name]}
    return Report(name, results, training=training, broken=(f"plug-in {name} was not loaded",))


def drawn(report: Report) -> str:
    file = StringIO()
    print_report(report, Console(file=file, width=80, force_terminal=True, color_system=None), verbose=True)
    return file.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_taken_for_markup(name: str) -> None:
    report = report_of(name)
    terminal = drawn(report)
    assert not set("\x1b\x07\x9b") & set(terminal)
    assert "\u202e" not in terminal
    if name.startswith("["):
        assert name in terminal
    page = render_html(report)
    assert "<script" not in page
    assert not set("\x1b\x07\x9b") & set(page)
    markdown = render_markdown(report)
    outside = re.sub(r"(`+)[^`].*?[^`]?\1", "", markdown, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<script", outside)
    assert not set("\x1b\x07\x9b") & set(markdown + render_junit(report))
    for text in (render_sarif(report), render_json(report)):
        assert json.loads(text)
        assert not set("\x1b\x07\x9b") & set(text)


def connects(*arguments: Any, **_: Any) -> NoReturn:
    raise AssertionError(f"a connection to {arguments[1:]}")


def test_nothing_opens_a_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, connects)
    monkeypatch.setattr(socket, "getaddrinfo", connects)
    report = diagnose(build(), settings=Settings(quick=True))
    assert [r.code for r in report.results if r.outcome is Outcome.CRASHED] == []
    for command in (["env"], ["checks"], ["explain", "lr"], ["history", str(tmp_path / "config.py")]):
        result = CliRunner().invoke(app, command)
        assert result.exception is None or isinstance(result.exception, SystemExit), command
    asked = CliRunner().invoke(app, ["reference-run", "--data", str(tmp_path), "--device", "cpu"])
    assert asked.exit_code == 2
    assert "--download" in asked.stderr


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def calls(name: str) -> list[tuple[str, ast.Call]]:
    """All calls of `something.name(...)` in the sources."""
    found = []
    for file in SOURCES:
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func) == name:
                found.append((str(file.relative_to(SOURCES[0].parent)), node))
    return found


def test_checkpoints_are_only_loaded_as_weights() -> None:
    loads = calls("torch.load")
    assert loads
    for file, call in loads:
        given = {k.arg: ast.unparse(k.value) for k in call.keywords}
        assert given.get("weights_only") == "True", (file, call.lineno)


def test_pickles_are_only_those_of_a_process_of_our_own_and_of_cifar10() -> None:
    assert {file for name in ("pickle.load", "pickle.loads") for file, _ in calls(name)} <= PICKLED
    assert not calls("joblib.load") + calls("dill.load") + calls("marshal.loads") + calls("yaml.load")


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize(
    "what", ["malicious", "foreign", "truncated", "empty", "text", "module", "no identity", "folder"]
)
def test_a_checkpoint_that_is_not_ours_is_refused(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "checkpoint.pt"
    states = {
        "malicious": Evil(),
        "module": nn.Linear(1, 1),
        "no identity": {"format": "trainingdoctor reference run 1"},
    }
    torch.save(states.get(what, {"state_dict": {}}), file)
    if what == "truncated":
        file.write_bytes(file.read_bytes()[:200])
    elif what in ("empty", "text"):
        file.write_text("" if what == "empty" else "no checkpoint at all")
    elif what == "folder":
        file.unlink()
        file.mkdir()
    with pytest.raises(UserError) as refused:
        load_checkpoint(file, "identity")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "executed").exists()


class Point:
    """An entry point that cannot be loaded."""

    def __init__(self, name: str, error: BaseException) -> None:
        self.name, self.value, self.error = name, f"{name}:CHECKS", error

    def load(self) -> NoReturn:
        raise self.error


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "error",
    [ImportError("no lib\nsecond line"), SystemExit(3), Mute(), RecursionError("deep"), BaseException("base")],
    ids=lambda e: type(e).__name__,
)
def test_a_plug_in_that_cannot_be_loaded_is_a_line(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainingdoctor.registry.entry_points", lambda **_: [Point("bad", error)])
    (line,) = trainingdoctor.registry.load_registry().broken
    assert line.startswith(f"plug-in 'bad' (bad:CHECKS) was not loaded: {type(error).__name__}")
    assert "\n" not in line
