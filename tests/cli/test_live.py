"""How far a run is: a bar on a terminal, a line for each epoch in a pipe."""

import io
import re
import sys

import pytest

from trainingdoctor.cli.live import Live
from trainingdoctor.reference import EpochMetrics


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


EPOCH = EpochMetrics(
    epoch=1, rate=0.1, loss=1.5, train_accuracy=40.0, test_accuracy=45.0, images_per_second=2000.0, seconds=90.0
)


@pytest.mark.parametrize(("total", "left"), [(2, "90 s left"), (11, "15 min left"), (401, "10.0 h left")])
def test_a_pipe_gets_a_line_with_what_is_left(total: int, left: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Live() as live:
        live.on_step(3, 391, 0.1)
        live.on_epoch(EPOCH, total)
    assert capsys.readouterr().out == (
        f"epoch 1/{total}  lr 0.1000  loss 1.500  train 40.00 %  test 45.00 %  2,000 images/s  90.0 s  {left}\n"
    )


def test_a_terminal_gets_a_bar_and_the_others_of_several_processes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for rank, shown in (("0", True), ("1", False)):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setattr(sys, "stdout", terminal := Terminal())
        with Live() as live:
            live.on_step(3, 391, 0.1)
            live.on_epoch(EPOCH, 2)
        said = re.sub(r"\x1b\[[\d;?]*\w", "", terminal.getvalue())
        assert ("epoch 1/2" in said) is shown
        assert ("step 3" in said) is shown
