"""What happened in a loop, in its order."""

from __future__ import annotations

from collections.abc import Sequence

from trainingdoctor.observing.passes import Pass
from trainingdoctor.observing.seen import Moment

# A loop that is watched to its own end may go on for hours; its beginning tells how it is made.
MOST = 3000


class Timeline:
    """Events with the pass that they fell into."""

    def __init__(self) -> None:
        self._events: list[tuple[str, Pass | None]] = []
        self._cleared = False

    def add(self, kind: str, within: Pass | None) -> None:
        """Take down one of MOMENTS."""
        if kind in ("zero_grad", "backward"):
            self._cleared = kind == "zero_grad"
        if len(self._events) < MOST:
            self._events.append((kind, within))

    def found_cleared(self, within: Pass | None) -> None:
        """Gradients are empty before a backward(): cleared by hand, where no zero_grad() was seen."""
        if not self._cleared:
            self.add("zero_grad", within)

    def seen(self, passes: Sequence[Pass]) -> tuple[Moment, ...]:
        """The records."""
        numbers = {id(p): i for i, p in enumerate(passes, 1)}
        return tuple(
            Moment(kind, "", 0) if within is None else Moment(kind, within.kind, numbers[id(within)])
            for kind, within in self._events
        )
