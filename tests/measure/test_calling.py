"""Calls into the user's code."""

import sys
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from trainingdoctor.errors import UserCodeError
from trainingdoctor.measure.calling import library_folders, set_mode


class Loop(nn.Linear):
    """Has a loop under the name of the switch."""

    def train(self, loader: Any) -> Any:  # type: ignore[override]
        raise AssertionError("not to be called")


class Frozen(nn.BatchNorm1d):
    """Stays in evaluation mode."""

    def train(self, mode: bool = True) -> "Frozen":
        super().train(False)
        return self


class Broken(nn.Linear):
    """Raises when it is switched."""

    def train(self, mode: bool = True) -> "Broken":
        raise ValueError("no")


def test_a_loop_named_train_is_not_called() -> None:
    model = nn.Sequential(Loop(2, 2), nn.Dropout())
    set_mode(model, False)
    assert [m.training for m in model.modules()] == [False] * 3
    set_mode(model, True)
    assert [m.training for m in model.modules()] == [True] * 3


def test_a_switch_of_ones_own_is() -> None:
    model = nn.Sequential(Frozen(2), nn.Dropout())
    set_mode(model, True)
    assert [m.training for m in model.modules()] == [True, False, True]
    with pytest.raises(UserCodeError, match=r"model.train\(\) raised ValueError"):
        set_mode(Broken(2, 2), True)


def test_folders_that_packages_were_installed_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("target", "home"):
        (tmp_path / name / "package-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "plain").mkdir()
    monkeypatch.setattr(sys, "path", ["", *(str(tmp_path / name) for name in ("target", "home", "plain", "gone"))])
    monkeypatch.chdir(tmp_path / "home")
    assert library_folders() == {str(tmp_path / "target")}


def test_a_long_error_is_cut_between_words() -> None:
    said = str(UserCodeError("the script", RuntimeError("one of the variables needed for gradient computation " * 9)))
    assert said.endswith("one of the variables needed for gradient")
    assert str(UserCodeError("the script", ValueError("x" * 999))) == f"the script raised ValueError: {'x' * 200}"
