"""What is said where an observed script's process has nothing to say."""

import subprocess
from pathlib import Path

import pytest
from torch import nn

from trainingdoctor.observing import launch
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.session import unstopped
from trainingdoctor.settings import Settings


@pytest.mark.parametrize(
    ("does", "limit", "said"),
    [
        ("kill -9 $$", 60.0, "train.py was killed from outside, as the system does where memory ends"),
        (
            "echo no data; exit 3",
            60.0,
            "train.py ended the process (exit code 3) before anything could be seen: no data",
        ),
        ("exit 3", 60.0, "train.py ended the process (exit code 3) before anything could be seen"),
        ("exec sleep 60", 0.1, "train.py could not be stopped within 0.1 s, and was killed"),
    ],
)
def test_a_silent_end_is_told_in_a_sentence(
    does: str, limit: float, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "MARGIN", 0.0)
    order = launch.Order(Path("train.py"), (), tmp_path / "answer", tmp_path, Settings(time_limit=limit))
    child = subprocess.Popen(["sh", "-c", does], stdout=subprocess.PIPE, start_new_session=True)
    answer = launch._answered(child, order, patient=False)
    assert answer.error.startswith(said)
    assert answer.report is None
    assert child.returncode is not None


def test_a_first_step_that_does_not_end_is_told_with_what_makes_it_shorter(tmp_path: Path) -> None:
    order = launch.Order(Path("train.py"), (), tmp_path / "answer", tmp_path, Settings(time_limit=9.0))
    recorder = Recorder()
    assert unstopped(order, recorder) == "train.py could not be stopped within 9 s"
    recorder.models[1] = nn.Linear(1, 1)
    assert "its first step had not ended; give it smaller batches" in unstopped(order, recorder)
