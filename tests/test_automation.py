"""The GitHub Action, its example workflow and the pre-commit hook: well-formed, and of things that exist."""

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from trainingdoctor.cli import app

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
EXAMPLES = ROOT / "examples" / "github"
WORKFLOW = yaml.safe_load((EXAMPLES / "trainingdoctor.yml").read_text())


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ACTION["runs"]["steps"]
    return found


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.github-actions", ROOT / "action.yml"), ("vendor.github-workflows", EXAMPLES / "trainingdoctor.yml")],
)
def test_they_follow_their_schemas(schema: str, file: Path) -> None:
    # YAML 1.1 reads `on` as true.
    data = json.loads(json.dumps(yaml.safe_load(file.read_text().replace("\non:", '\n"on":'))))
    Draft7Validator(get_builtin_schema(schema)).validate(data)


def test_what_the_workflow_gives_the_action_takes() -> None:
    (used,) = [s for s in WORKFLOW["jobs"]["diagnose"]["steps"] if s.get("id") == "doctor"]
    assert set(used["with"]) <= set(ACTION["inputs"])
    required = {name for name, given in ACTION["inputs"].items() if given.get("required")}
    assert required <= set(used["with"])
    assert "steps.doctor.outputs.report" in (EXAMPLES / "trainingdoctor.yml").read_text()
    assert "report" in ACTION["outputs"]


def test_inputs_are_never_read_as_a_script() -> None:
    assert not [step for step in steps() if "${{" in step.get("run", "")]


def test_entries_are_commands_with_options_that_exist() -> None:
    local = yaml.safe_load((EXAMPLES / "pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    options = CliRunner().invoke(app, ["diagnose", "--help"], env={"COLUMNS": "200"}).stdout
    for hook in (*HOOKS, *local):
        command, subcommand, *more = shlex.split(hook["entry"])
        assert (command, subcommand) == ("trainingdoctor", "diagnose")
        assert all(option in options for option in more if option.startswith("--"))
        assert hook["pass_filenames"] is False, "what comes after the config would be the arguments of a script"


def test_the_action_makes_the_reports_and_keeps_the_exit_code(tmp_path: Path) -> None:
    """Its script, with a stand-in for Python that writes what it was asked to."""
    python = tmp_path / "python"
    python.write_text(
        '#!/usr/bin/env bash\nprintf "%s\\n" "$@" > "$ASKED"\n'
        'while [ $# -gt 0 ]; do if [ "$1" = --output ]; then echo "of $2" > "$2"; fi; shift; done\nexit 1\n'
    )
    python.chmod(0o755)
    script = next(step["run"] for step in steps() if step.get("id") == "diagnose")
    given = {
        "CONFIG": "my $(touch x) config.py", "ARGUMENTS": "--quick --select lr", "SCRIPT_ARGUMENTS": "--lr 0.1",
        "BASELINE": "known.json", "FAIL_ON": "critical", "REPORTS": str(tmp_path / "reports"),
        "GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "ASKED": str(tmp_path / "asked"), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    subprocess.run(["bash", "-eo", "pipefail", "-c", script], env=given, cwd=tmp_path, check=True)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[:4] == ["-m", "trainingdoctor", "diagnose", "my $(touch x) config.py"]
    assert asked[-6:] == ["--quick", "--select", "lr", "--", "--lr", "0.1"]
    assert "exit-code=1" in (tmp_path / "output").read_text()
    assert (tmp_path / "summary").read_text().startswith("of ")
    assert not (tmp_path / "x").exists()
