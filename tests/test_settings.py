"""[tool.trainingdoctor]: selection, thresholds, did-you-mean."""

from typing import Any

import pytest

from trainingdoctor import UserError
from trainingdoctor.registry import load_registry
from trainingdoctor.settings import parse_ignore, parse_settings

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
    ],
)
def test_mistakes_are_named_with_what_was_meant(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as error:
        parse_settings(table, REGISTRY, "pyproject.toml")
    assert sentence in str(error.value)


def test_ignore_on_the_command_line_carries_a_reason() -> None:
    assert parse_ignore(["lr.too_high=tuned"], REGISTRY, "--ignore") == {"lr.too_high": "tuned"}
