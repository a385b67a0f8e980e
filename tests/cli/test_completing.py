"""Shell completion: the codes, from the registry, without torch; and --version."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import shellingham
from typer.testing import CliRunner

from trainingdoctor import __version__
from trainingdoctor.cli import app
from trainingdoctor.cli.completing import codes
from trainingdoctor.registry import load_registry

WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from trainingdoctor.cli import main; main()"


def completed(line: str) -> list[str]:
    """What bash offers behind `line`."""
    words = line.split(" ")
    variables = {
        "_TRAININGDOCTOR_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    return CliRunner().invoke(app, [], prog_name="trainingdoctor", env=variables).output.split()


@pytest.mark.parametrize(
    "line", ["explain", "diagnose c.py --select", "diagnose c.py --ignore", "fix c.py --select", "verify c.py --ignore"]
)
def test_codes_are_offered_where_a_code_is_wanted(line: str) -> None:
    assert "lr.too_high" in completed(f"trainingdoctor {line} lr.t")


def test_every_code_and_area_is_offered() -> None:
    known = load_registry().checks.values()
    assert [word for word, _ in codes("")] == [*dict.fromkeys(c.area for c in known), *(c.code for c in known)]


def test_no_code_is_offered_for_a_reason() -> None:
    assert codes("lr.too_high=") == []


def test_completion_needs_no_torch() -> None:
    variables = {"_TRAININGDOCTOR_COMPLETE": "complete_bash", "COMP_WORDS": "trainingdoctor explain lr.too_h"}
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables, "COMP_CWORD": "2"},
    )
    assert result.stdout.split() == ["lr.too_high"], result.stderr


def test_completion_is_shown_and_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shellingham, "detect_shell", lambda *_: ("bash", "/bin/bash"))
    monkeypatch.setenv("HOME", str(tmp_path))
    shown = CliRunner().invoke(app, ["--show-completion"], prog_name="trainingdoctor")
    assert "_TRAININGDOCTOR_COMPLETE=complete_bash" in shown.output
    installed = CliRunner().invoke(app, ["--install-completion"], prog_name="trainingdoctor")
    assert installed.exit_code == 0, installed.output
    written = [file.read_text() for file in tmp_path.rglob("*.sh")]
    assert any("_TRAININGDOCTOR_COMPLETE=complete_bash" in text for text in written)


def test_the_version_is_printed() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"trainingdoctor {__version__}\n")
