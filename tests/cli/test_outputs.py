"""Several reports of one diagnosis."""

import json
from pathlib import Path

from tests.cli.test_baseline import SICK, diagnosed
from tests.cli.test_commands import CONFIG


def test_each_file_gets_what_its_ending_says(tmp_path: Path) -> None:
    config = tmp_path / "my_config.py"
    config.write_text(CONFIG + SICK)
    files = [tmp_path / f"report{ending}" for ending in (".json", ".html", ".md", ".sarif", ".xml")]
    options = [option for file in files for option in ("--output", file)]
    code, text, _ = diagnosed(config, "--quick", "--select", "loss", *options)
    assert code == 1
    assert text.startswith("✗ unwell")
    assert json.loads(files[0].read_text())["verdict"] == "unwell"
    beginnings = ["{", "<!DOCTYPE html>", "## unwell", "{", "<?xml"]
    assert [file.read_text().startswith(b) for file, b in zip(files, beginnings, strict=True)] == [True] * 5
    place = json.loads(files[3].read_text())["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "my_config.py", "uriBaseId": "%SRCROOT%"}


def test_one_format_for_several_files_is_refused(tmp_path: Path) -> None:
    code, _, said = diagnosed("x.py", "--format", "json", "--output", tmp_path / "a", "--output", tmp_path / "b")
    assert code == 2
    assert "goes with one --output" in said
