"""The generated catalogue is the one in the repository."""

from pathlib import Path

from typer.testing import CliRunner

from trainingdoctor.cli import app


def test_checks_readme_is_up_to_date() -> None:
    made = CliRunner().invoke(app, ["checks", "--format", "markdown"]).stdout
    assert (Path(__file__).parents[2] / "checks" / "README.md").read_text() == made
