"""Takes down the passes through loaders of a loop, and ends it where all has been seen."""

from __future__ import annotations

import sys
import weakref
from dataclasses import replace
from typing import Any

from trainingdoctor.observing.afterwards import used_later
from trainingdoctor.observing.again import trains_again
from trainingdoctor.observing.epochs import epoch_loop
from trainingdoctor.observing.limits import Enough
from trainingdoctor.observing.passes import Pass, Watched
from trainingdoctor.observing.places import users_place
from trainingdoctor.observing.record import Record
from trainingdoctor.observing.setters import rate_setter
from trainingdoctor.observing.starts import start_of

# A script that catches `Enough` so often catches everything, and goes on for ever.
SWALLOWED = 10
# Times the limit in seconds that a slow training gets to come to an evaluation.
STRETCHED = 1.5
# Passes before a new one that may have been left before their end.
FEW = 3
# Passes of which one may still be around another.
NESTED = 8


class PassRecorder(Record):
    """Takes down passes through loaders, while they are made. Raises `Enough` where everything has been seen."""

    def begin_pass(self, loader: Any, iterator: Any) -> Watched:
        """A DataLoader is iterated anew. Raises Enough where everything has been seen."""
        self._poll(within=False)
        number = self._number(loader)
        for before in self.passes[-FEW:]:
            before.left = before.left or (before.number == number and not before.ended)
        start, known = start_of(number, loader, self.built_count), self.kinds.get(number)
        single = self.one_batch_each
        if known == "training" and (
            self.steps >= self.limits.steps if single else self.epoch >= 2 and self._evaluated()
        ):
            self.later = self.later or used_later(sys._getframe(1))
            self.starts.append(start)
            self._enough()
        begun = Pass(loader, number, users_place(3), known="evaluation" if known == "evaluation" else None)
        if self._is_late() and not self._leads_to_evaluation(begun):
            self._enough()
        begun.empty = self.stops and known == "training" and self.epoch >= self.limits.epochs and not single
        self.emptied = self.emptied or begun.empty
        if not self.epochs:
            # Now, not when it turns out to train: reading a frame's variables keeps what they hold alive, such as a loss.
            begun.planned = epoch_loop(sys._getframe(3))
            self.setter = self.setter or rate_setter(sys._getframe(3))
        self.passes.append(begun)
        self.starts.append(replace(start, begun=begun))
        self.ranks.on_pass(begun)
        self.graphs.forget()
        watched = Watched(iterator, begun, self)
        begun.iterator = weakref.ref(watched)
        return watched

    def next_batch(self, asking: Pass) -> bool:
        """Whether the pass is to end here."""
        if not asking.aside and asking.batches != asking.length:
            # What was stepped since the last batch is in the loop's body, be it of one batch only. Behind the last one it may be between
            # the epochs: Ignite only asks for another batch in the next one.
            self._poll(within=asking.steps > 0)
        self.current, self.idle = asking, 0
        late = self._is_late()
        if late and not asking.aside and not self._leads_to_evaluation(asking):
            self._enough()
        # Enough, raised in another thread, would leave the loop waiting for a batch for ever.
        last = late and (asking.aside or asking.kind == "training")
        over = self.stops and (last or (asking.over(self.limits) and not self._goes_on(asking)))
        self.cut = self.cut or over
        return over

    def _goes_on(self, asking: Pass) -> bool:
        return self.reach.goes_on(asking, self._evaluated(), self.limits, sys._getframe(3))

    def _leads_to_evaluation(self, asking: Pass) -> bool:
        """Whether time that is up is stretched: a slow epoch ends after what it has, for the first evaluation behind it to be seen."""
        if not self.stops or self.clock.seconds > STRETCHED * self.limits.total or self.epoch > 1:
            return False
        first = asking.batches > 0 or self.kinds.get(asking.number) != "training"
        return asking.kind == "evaluation" or (first and not self._evaluated())

    def end_pass(self, ending: Pass) -> None:
        """A pass is over, by itself or cut short."""
        self._poll(within=False)
        ending.ended, ending.left = True, False
        self.kinds.setdefault(ending.number, ending.kind)
        if ending is self.current:
            self._back_out(ending)

    def leave_evaluation(self) -> None:
        """Something trains: an evaluation that was left by a break in the body of another pass is over."""
        now = self.current
        if now is not None and not now.steps and now.kind == "evaluation" and now.iterator() is None:
            self._back_out(now)

    def _back_out(self, over: Pass) -> None:
        """What was begun in the body of another pass ends there, as an evaluation before an epoch's first step does."""
        self.current = next((p for p in reversed(self.passes[-NESTED:]) if p.is_open), over)

    def break_off(self) -> None:
        """The script raised: a first pass in train mode, whose first backward() was still to come, was to train."""
        now = self.current
        if now is not None and not self.epoch and self.built_count and now.train_mode and now.with_gradient:
            self.kinds[now.number] = now.known = "training"

    def _enough(self) -> None:
        if not self.stops:
            if not self.full:
                self.full = True
                self.on_enough()
            return
        self.again = self.again or trains_again(sys._getframe(1), self.epoch_loop)
        self.raised += 1
        if self.raised > SWALLOWED:
            self.swallowed()
        raise Enough

    def _poll(self, within: bool) -> None:
        if self.schedulers.poll(within, self.epoch):
            self.timeline.add("scheduler", self.current if within else None)
