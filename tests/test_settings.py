"""[tool.trainingdoctor]: selection, thresholds, did-you-mean."""

from pathlib import Path
from typing import Any

import pytest

from trainingdoctor import UserError
from trainingdoctor.registry import load_registry
from trainingdoctor.settings import Settings, checked_patterns, parse_ignore, parse_settings, read_settings

REGISTRY = load_registry()


def test_thresholds_are_read_with_their_types() -> None:
    table = {
        "ignore": {"lr": "tuned by hand"},
        "checks": {"batchnorm.momentum": {"most": 1}},
        "evidence": {"overfit": {"rate": 0.01}},
    }
    settings = parse_settings(table, REGISTRY, "pyproject.toml")
    assert settings.thresholds == {"batchnorm.momentum": {"most": 1.0}, "overfit": {"rate": 0.01}}
    assert settings.excludes(REGISTRY.checks["lr.too_high"]) == "ignored: tuned by hand"
    assert settings.excludes(REGISTRY.checks["init.zero"]) is None


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"slect": []}, "Did you mean 'select'?"),
        ({"select": ["lr.to_high"]}, "Did you mean 'lr.too_high'?"),
        ({"checks": {"batchnorm.momentum": {"mots": 1.0}}}, "Did you mean 'most'?"),
        ({"checks": {"batchnorm.momentum": {"most": "high"}}}, "must be float"),
        ({"checks": {"batchnorm.momentun": {}}}, "Did you mean 'batchnorm.momentum'?"),
        ({"quick": "yes"}, "quick must be bool"),
        ({"fail_on": "fatal"}, "is no severity"),
        ({"fail_on": "waring"}, "Did you mean 'warning'?"),
        ({"time_limit": 0}, "give a positive number of seconds"),
        ({"time_limit": float("nan")}, "give a positive number of seconds"),
        ({"select": "lr"}, "select must be list"),
        ({"ignore": {"lr": 3}}, "must be a string, not 3"),
        ({"evidence": {"train_batche": {}}}, "Did you mean 'train_batches'?"),
        ({"evidence": {"train_batches": {"cuont": 3}}}, "Did you mean 'count'?"),
        ({"evidence": {"train_batches": {"count": 3.5}}}, "must be int, not 3.5"),
    ],
)
def test_mistakes_are_named_with_what_was_meant(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as error:
        parse_settings(table, REGISTRY, "pyproject.toml")
    assert sentence in str(error.value)


def test_ignore_on_the_command_line_carries_a_reason() -> None:
    assert parse_ignore(["lr.too_high=tuned"], REGISTRY, "--ignore") == {"lr.too_high": "tuned"}


def test_several_codes_may_stand_between_commas() -> None:
    assert checked_patterns(["lr.too_high, lr", "lr"], REGISTRY, "--select") == ("lr.too_high", "lr", "lr")
    assert parse_ignore(["lr,lr.too_high=a, b"], REGISTRY, "--ignore") == {"lr": "a, b", "lr.too_high": "a, b"}
    with pytest.raises(UserError, match=r"--select: no check has the code or prefix 'lr.to_high'. Did you mean"):
        checked_patterns(["lr,lr.to_high"], REGISTRY, "--select")


def test_settings_are_read_from_the_nearest_pyproject(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.trainingdoctor]\nignore = ["lr=tuned"]\nfail_on = "critical"\n')
    assert read_settings(inner, REGISTRY).ignore == {"lr": "tuned"}
    assert read_settings(inner, REGISTRY).fail_on == "critical"
    (inner / "pyproject.toml").write_text("tool = 3\n")
    assert read_settings(inner, REGISTRY) == Settings()
    (inner / "pyproject.toml").write_text("x = [\n")
    with pytest.raises(UserError, match="is not valid TOML"):
        read_settings(inner, REGISTRY)
