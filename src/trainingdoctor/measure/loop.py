"""The training loop, where one was watched."""

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.observing.trace import LoopTrace


@evidence()
def loop_trace() -> LoopTrace:
    """What the training loop did. Known beforehand where a script was watched; otherwise there is no loop to see."""
    raise Unavailable("the loop is only seen when a script is run: trainingdoctor diagnose train.py")
