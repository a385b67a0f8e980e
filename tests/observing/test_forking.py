"""Scripts that train in a child of os.fork()."""

import os
import sys
from pathlib import Path

import pytest

from trainingdoctor import UserError
from trainingdoctor.observing.forking import children_followed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.script import Ran, run_script
from trainingdoctor.observing.unfinished import built

HEAD = """
import os, sys, torch
def train():
    w = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
class Trainer:
    def fit(self):
        train()
trainer = Trainer()
"""


def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> tuple[Recorder, Ran]:
    script = tmp_path / "forked.py"
    script.write_text(HEAD + text)
    monkeypatch.setattr("sys.argv", ["pytest"])
    monkeypatch.setattr("sys.path", list(sys.path))
    recorder, before = Recorder(), (os.fork, os._exit)
    with children_followed(recorder):
        ran = run_script(script, (), recorder)
    assert (os.fork, os._exit) == before
    return recorder, ran


@pytest.mark.parametrize(
    "text",
    [
        "pid = os.fork()\nif pid == 0:\n    train()\n    os._exit(0)\nos.waitpid(pid, 0)\n",
        "pid = os.fork()\nprint(pid)\nif pid:\n    os.waitpid(pid, 0)\nelse:\n    try:\n        trainer.fit()\n    finally:\n        os._exit(3)\n",
        "if not os.fork():\n    Trainer().fit()\n    sys.exit()\nos.wait()\n",
        "pid = os.fork()\nif pid > 0:\n    os.waitpid(pid, 0)\n    sys.exit()\ntrain()\n",
        "for rank in range(2):\n    if os.fork() == 0:\n        train()\n        os._exit(0)\nos.wait()\n",
    ],
)
def test_a_child_that_trains_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    recorder, ran = watched(tmp_path, monkeypatch, text)
    assert (recorder.steps, recorder.forked, ran.error) == (3, "", None)


def test_what_its_last_words_would_hide_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "pid = os.fork()\nif pid == 0:\n    try:\n        train()\n        1 / 0\n    finally:\n        os._exit(0)\nos.wait()\n"
    ran = watched(tmp_path, monkeypatch, text)[1]
    assert "division by zero" in str(ran.error)


def test_a_child_that_does_something_else_stays_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "pid = os.fork()\nif pid == 0:\n    open('x', 'w').close()\n    os._exit(0)\nos.waitpid(pid, 0)\n"
    monkeypatch.chdir(tmp_path)
    recorder, ran = watched(tmp_path, monkeypatch, text)
    assert (tmp_path / "x").exists()
    assert recorder.forked == "forked.py:14"
    with pytest.raises(UserError, match=r"child of os.fork\(\) \(forked.py:14\)"):
        built(tmp_path / "forked.py", ran, forked=recorder.forked)
    # What trains in its own process is watched there.
    assert watched(tmp_path, monkeypatch, f"{text}train()\n")[0].steps == 3
