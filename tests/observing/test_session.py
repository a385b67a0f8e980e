"""What is done where an observed script has built nothing."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from trainingdoctor.errors import UserCodeError, UserError
from trainingdoctor.observing import launch
from trainingdoctor.observing.child import Answer, Order
from trainingdoctor.observing.script import Ran
from trainingdoctor.observing.session import Session
from trainingdoctor.report import Report
from trainingdoctor.settings import Settings


@pytest.mark.parametrize(
    ("error", "asked", "denied"),
    [
        (None, True, True),
        (None, False, False),
        (SystemExit(1), True, True),
        (AssertionError("a GPU is required"), True, True),
        (FileNotFoundError("no data"), True, False),
    ],
)
def test_a_script_that_ends_without_a_gpu_is_known(error: BaseException | None, asked: bool, denied: bool) -> None:
    session = Session(Order(Path("train.py"), (), Path("answer"), Path(), Settings()), time.perf_counter())
    session.denied = lambda: asked
    ran = Ran({}, None if error is None else UserCodeError("the script", error, "train.py:3"))
    assert session._turned_away(ran) is denied


@pytest.mark.parametrize("helps", [True, False])
def test_it_is_run_again_and_told_that_there_is_one(
    helps: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report("train.py", ())

    def run(order: Order, *_: object) -> Answer:
        order.answer.touch()
        if not order.claimed:
            return Answer(error="train.py ran to its end", denied=True)
        return Answer(report) if helps else Answer(error="CUDA error")

    monkeypatch.setattr(launch, "_run", run)
    script = tmp_path / "train.py"
    if not helps:
        with pytest.raises(UserError, match="ran to its end"):
            launch.observed_answer(script, settings=Settings())
        return
    answer = launch.observed_answer(script, settings=Settings())
    assert answer.report == replace(report)
    assert answer.notes[0].startswith("train.py goes no further where torch.cuda.is_available() is False")
