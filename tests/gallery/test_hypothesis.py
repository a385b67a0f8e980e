"""Configs and settings put together at random: the report always follows its schema."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.gallery.play import watched

import trainingdoctor
from trainingdoctor import UserError, diagnose
from trainingdoctor.loading.config import in_folder_of, load_config
from trainingdoctor.registry import load_registry
from trainingdoctor.render.json import render_json
from trainingdoctor.settings import Settings, parse_settings

SCHEMA = json.loads((Path(trainingdoctor.__file__).parent / "report.schema.json").read_text())
REGISTRY = load_registry()
CODES = sorted({*REGISTRY.checks, *(c.area for c in REGISTRY.checks.values())})


def quickly(examples: int) -> settings:
    """The same examples every time, and nothing left behind."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=checks)


DATA = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed({seed})
x, y = torch.randn({samples}, {width}), torch.randint({classes}, ({samples},))
train_loader = DataLoader(TensorDataset(x, y), batch_size={batch}, shuffle={shuffle}, drop_last={drop})
"""
LAYERS = (
    "nn.Linear({w}, {w})",
    "nn.BatchNorm1d({w})",
    "nn.ReLU()",
    "nn.Dropout({p})",
    "nn.Softmax(1)",
    "nn.LayerNorm({w})",
)
LOSSES = ("nn.CrossEntropyLoss()", "nn.MSELoss()", "nn.NLLLoss()", "nn.CrossEntropyLoss(reduction='sum')", "7", "None")
OPTIMIZERS = (
    "SGD(model.parameters(), lr={lr})",
    "Adam(model.parameters(), lr={lr})",
    "LBFGS(model.parameters(), lr={lr})",
)
SCHEDULES = (
    "None",
    "StepLR(optimizer, {n})",
    "OneCycleLR(optimizer, 0.1, total_steps={n})",
    "ReduceLROnPlateau(optimizer)",
)


def tried(action: Callable[[], Any]) -> tuple[Any, str]:
    """What it gives, or the sentence with which it refuses."""
    try:
        return action(), ""
    except UserError as error:
        return None, str(error)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """The text of a config."""
    width, classes = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    layers = [one.format(w=width, p=0.5) for one in draw(st.lists(st.sampled_from(LAYERS), max_size=4))]
    rate, count = draw(st.sampled_from((0.0, 1e-9, 0.01, 1e6))), draw(st.integers(1, 50))
    values = {"seed": 0, "samples": draw(st.integers(1, 30)), "width": width, "classes": classes}
    data = DATA.format(**values, batch=draw(st.integers(1, 40)), shuffle=draw(st.booleans()), drop=draw(st.booleans()))
    lines = [
        f"model = nn.Sequential({', '.join([*layers, f'nn.Linear({width}, {draw(st.integers(1, 5))})'])})",
        f"criterion = {draw(st.sampled_from(LOSSES))}",
        f"optimizer = torch.optim.{draw(st.sampled_from(OPTIMIZERS)).format(lr=rate)}",
        f"scheduler = {draw(st.sampled_from(SCHEDULES)).format(n=count)}".replace("= S", "= torch.optim.lr_scheduler.S")
        .replace("= O", "= torch.optim.lr_scheduler.O")
        .replace("= R", "= torch.optim.lr_scheduler.R"),
        f"epochs = {draw(st.sampled_from((0, 1, 7, 10**9, 2.5)))}",
        f"amp = {draw(st.booleans())}",
    ]
    return data + "\n".join(lines) + "\n"


@quickly(25)
@given(text=texts(), select=st.lists(st.sampled_from(CODES), max_size=3))
def test_the_report_of_any_config_follows_the_schema(text: str, select: list[str], tmp_path: Path) -> None:
    config = tmp_path / "config.py"
    config.write_text(text)
    with in_folder_of(config), watched() as changes:
        training, refused = tried(lambda: load_config(config))
        if training is None:
            assert len(refused.splitlines()) == 1
            return
        report = diagnose(training, settings=Settings(quick=True, select=tuple(select)), registry=REGISTRY)
    jsonschema.validate(json.loads(render_json(report)), SCHEMA)
    assert [(r.code, r.traceback) for r in report.results if r.outcome == "crashed"] == []
    assert changes == []


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(("select", "ignore", "quick", "time_limit", "fail_on", "checks", "evidence", "other"))


@quickly(200)
@given(table=st.dictionaries(KEYS, ANY | st.lists(st.sampled_from(CODES), max_size=3), max_size=4))
def test_any_settings_are_taken_or_refused_in_a_sentence(table: dict[str, Any]) -> None:
    taken, refused = tried(lambda: parse_settings(table, REGISTRY, "pyproject.toml"))
    assert isinstance(taken, Settings) or refused.startswith("pyproject.toml")


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), 0, -1])
def test_a_time_limit_that_is_none_is_refused(limit: float) -> None:
    with pytest.raises(UserError, match="positive number of seconds"):
        parse_settings({"time_limit": limit}, REGISTRY, "pyproject.toml")
