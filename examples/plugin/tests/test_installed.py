"""The plug-in as its users have it: installed beside trainingdoctor, found by its entry point, without any setting."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
CODES = {"masking.padding_counted", "masking.nothing_counted"}


def trainingdoctor(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "trainingdoctor", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def diagnosed(config: str) -> tuple[int, dict[str, Any]]:
    code, report = trainingdoctor("diagnose", config, "--quick", "--format", "json")
    return code, json.loads(report)


def test_the_catalogue_lists_its_checks() -> None:
    _, listed = trainingdoctor("checks", "--format", "json")
    assert {row["code"] for row in json.loads(listed) if row["code"].startswith("masking.")} == CODES


def test_its_manual_is_printed() -> None:
    code, manual = trainingdoctor("explain", "masking.padding_counted")
    assert code == 0
    assert "most = 0.5" in manual


def test_listing_does_not_load_torch() -> None:
    code = (
        "import sys; from trainingdoctor.registry import load_registry as r; print(r().broken, 'torch' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[] False"


def test_a_sick_training_gets_its_finding() -> None:
    code, report = diagnosed("texts_padding_counted.py")
    assert code == 1
    assert report["root_causes"] == ["masking.padding_counted"]
    assert report["plugins_not_loaded"] == []


def test_a_healthy_training_gets_none() -> None:
    code, report = diagnosed("texts_cured.py")
    assert code == 0
    assert {c["outcome"] for c in report["checks"] if c["code"] in CODES} == {"healthy"}
