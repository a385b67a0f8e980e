"""`--baseline` and `--update-baseline`, in all formats."""

import json
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from tests.cli.test_commands import CONFIG, SCHEMA
from typer.testing import CliRunner

from trainingdoctor.cli import app

SICK = "model = nn.Sequential(model, nn.Softmax(1))\n"
CURVES = (
    "epoch,train_loss,val_loss\n" + "".join(f"{i},{2.3 - i / 10},{2.4 - i / 20}\n" for i in range(8)) + "8,nan,nan\n"
)


def diagnosed(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["diagnose", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def options(folder: Path, extra: str = SICK) -> tuple[object, ...]:
    config = folder / "my_config.py"
    config.write_text(CONFIG + extra)
    return config, "--quick", "--select", "loss", "--baseline", folder / "known.json"


def test_what_is_written_once_is_known_from_then_on(tmp_path: Path) -> None:
    first = diagnosed(*options(tmp_path), "--update-baseline", "--format", "json")
    assert first[0] == 0
    assert "known.json lists" in first[2]
    code, text, _ = diagnosed(*options(tmp_path), "--format", "json")
    report = json.loads(text)
    jsonschema.validate(report, SCHEMA)
    assert code == 0
    assert report["verdict"] == "unwell"
    assert {f["code"]: f["known"] for f in report["findings"]}["loss.softmax_before_cross_entropy"]
    assert report["baseline"] == {"file": "known.json", "gone": []}
    entries = json.loads((tmp_path / "known.json").read_text())["known"]
    assert {entry["target"] for entry in entries} == {"my_config.py"}


def test_each_format_tells_what_is_known_new_and_gone(tmp_path: Path) -> None:
    (tmp_path / "known.json").write_text(
        '{"trainingdoctor_baseline": 1, "known": [{"target": "my_config.py", "code": "loss.target_format", "where": ["x"]}]}'
    )
    gone = "no longer found, and still in known.json: loss.target_format at x"
    told = {
        kind: diagnosed(*options(tmp_path), "--format", kind) for kind in ("text", "markdown", "html", "sarif", "junit")
    }
    assert {code for code, _, _ in told.values()} == {1}
    for kind in ("text", "html"):
        assert gone in " ".join(told[kind][1].split())
    assert gone.replace("_", "\\_") in told["markdown"][1]
    states = {r["ruleId"]: r["baselineState"] for r in json.loads(told["sarif"][1])["runs"][0]["results"]}
    assert states["loss.softmax_before_cross_entropy"] == "new"
    assert ElementTree.fromstring(told["junit"][1]).get("failures") != "0"


def test_a_finished_run_has_a_baseline_as_well(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.csv"
    metrics.write_text(CURVES)
    arguments = ("--history", metrics, "--baseline", tmp_path / "known.json")
    assert diagnosed("--history", metrics)[0] == 1
    assert diagnosed(*arguments, "--update-baseline")[0] == 0
    code, text, _ = diagnosed(*arguments)
    assert code == 0
    assert "known" in text.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--baseline", "nothing.json"), "is not there: --update-baseline makes it"),
        (("--update-baseline",), "--update-baseline needs --baseline FILE"),
        (("--baseline", "my_config.py"), "is no JSON"),
        (("--baseline", "my_config.py", "--update-baseline"), "is no JSON"),
        (("--baseline", "no/folder/known.json", "--update-baseline"), "its folder is not there"),
        (("--baseline", ".", "--update-baseline"), "is a folder"),
    ],
)
def test_what_is_no_baseline_is_one_sentence_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_config.py").write_text("raise SystemExit('ran')\n")
    code, _, stderr = diagnosed("my_config.py", *arguments)
    assert code == 2
    assert stderr.startswith("trainingdoctor: ")
    assert said in stderr
    assert len(stderr.splitlines()) == 1
    assert (tmp_path / "my_config.py").read_text().startswith("raise")
