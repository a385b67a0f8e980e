"""Ctrl-C while a script is watched: what was seen by then is told."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from trainingdoctor import Training, UserError
from trainingdoctor.observing import interruption, launch
from trainingdoctor.observing.child import Answer, Order
from trainingdoctor.observing.interruption import Interruption
from trainingdoctor.observing.limits import Enough
from trainingdoctor.observing.script import Ran
from trainingdoctor.observing.unfinished import built
from trainingdoctor.report import Report
from trainingdoctor.settings import Settings


@pytest.fixture
def listening() -> Iterator[Interruption]:
    before = signal.getsignal(signal.SIGINT)
    listener = Interruption()
    listener.listen()
    yield listener
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_script_is_ended_whatever_it_catches_and_then_the_diagnosis(
    listening: Interruption, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interruption, "SHORTLY", 0.05)
    with pytest.raises(Enough), contextlib.suppress(KeyboardInterrupt):
        interrupt()
    interrupt()  # once is enough
    assert listening.came
    with pytest.raises(KeyboardInterrupt), listening.shortly():
        time.sleep(5)


def test_a_diagnosis_is_not_hurried_before_but_can_be_ended(
    listening: Interruption, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interruption, "SHORTLY", 0.0)
    with listening.shortly():
        time.sleep(0.05)
    with pytest.raises(KeyboardInterrupt), listening.shortly():
        interrupt()


# Tells what it knows when it is asked to.
CHILD = """
import os, signal, sys, time
answer, ready = sys.argv[1:]
signal.signal(signal.SIGINT, lambda *_: os.replace(answer + ".made", answer))
open(ready, "w").close()
time.sleep(60)
"""


@pytest.mark.parametrize("known", [True, False])
def test_the_child_is_asked_once_and_what_it_tells_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], known: bool
) -> None:
    order = Order(tmp_path / "train.py", (), tmp_path / "answer", tmp_path, Settings())
    report = Report("train.py", (), {}, {}, 1.0)
    (tmp_path / "answer.made").write_bytes(pickle.dumps(Answer(report if known else None, "" if known else "nothing")))
    ready, waits = tmp_path / "ready", []
    whole = launch._wait

    def wait(child: Any, order: Order, seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 1:
            return whole(child, order, seconds)
        while not ready.exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    def child(command: Any, **options: Any) -> subprocess.Popen[bytes]:
        return real([sys.executable, "-S", "-c", CHILD, str(order.answer), str(ready)], **options)

    real = subprocess.Popen
    monkeypatch.setattr(launch, "_wait", wait)
    monkeypatch.setattr(launch.subprocess, "Popen", child)
    told: list[Report] = []
    with pytest.raises(KeyboardInterrupt):
        launch._run(order, tmp_path, told.append)
    assert [r.target for r in told] == (["train.py"] if known else [])
    assert waits[1] == interruption.PATIENCE
    assert "Ctrl-C again ends at once" in capsys.readouterr().err


def test_what_a_script_had_built_until_then_is_examined() -> None:
    model = nn.Linear(2, 2)
    assert isinstance(found := built(Path("train.py"), Ran({"net": model}), cut=True), Training)
    assert found.model is model
    with pytest.raises(UserError, match="interrupted before anything could be seen"):
        built(Path("train.py"), Ran({}), cut=True)
