"""What is made of an error in the user's code."""

from types import SimpleNamespace

import pytest

from trainingdoctor import Training
from trainingdoctor.errors import UserCodeError
from trainingdoctor.measuring import Measuring
from trainingdoctor.registry import Registry
from trainingdoctor.settings import Settings


class Raising(Measuring):
    """Every measurement ends in a step that raises."""

    def _measured(self, name: str) -> None:
        raise UserCodeError(name, RuntimeError("no"))


@pytest.mark.parametrize(
    ("stage", "steps", "loop_did"),
    [("optimizer.step()", 50, True), ("optimizer.step()", 1, False), ("the data set", 50, False)],
)
def test_what_the_loop_did_twice_is_told_from_what_only_the_repetition_did(
    stage: str, steps: int, loop_did: bool
) -> None:
    trace = SimpleNamespace(steps=(object(),) * steps)
    measuring = Raising(Training(), Registry(), Settings(), 0, 0.0, known={"loop_trace": trace})
    with pytest.raises(UserCodeError):
        measuring.value(stage)
    assert [f.loop_did for f in measuring.failures] == [loop_did]
