import time
from dataclasses import dataclass

import pytest

from trainingdoctor import deadline
from trainingdoctor.deadline import TimeUp, limited


@dataclass
class Clock:
    """A wall clock, and a process that works at `share` of one core."""

    share: float
    now: float = 100.0

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.now * self.share


@pytest.mark.parametrize(
    ("share", "most", "ended"),
    [
        pytest.param(1.0, 400.0, 150.0, id="alone"),
        pytest.param(2.0, 400.0, 150.0, id="on two cores"),
        pytest.param(0.5, 400.0, 300.0, id="beside another process"),
        pytest.param(0.25, 400.0, 400.0, id="until the whole time is up"),
        pytest.param(0.0, 400.0, 150.0, id="hanging"),
        pytest.param(0.5, 0.0, 150.0, id="no more time"),
    ],
)
def test_time_is_up_when_the_work_is_done(
    share: float, most: float, ended: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(share)
    monkeypatch.setattr(deadline, "time", clock)
    busy = deadline._Busy(150.0, most)
    clock.now += 150.0
    while more := busy.more():
        clock.now += more
    assert clock.now - 100.0 == pytest.approx(ended, abs=1.0)
    assert busy.more() == 0.0


def test_what_sleeps_is_interrupted_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(TimeUp), limited(0.2, 60.0):
        time.sleep(30)
    assert time.monotonic() - began < 10


def test_what_works_may_go_on_until_it_has_worked_that_long() -> None:
    began = time.process_time()

    def work() -> None:
        while True:
            pass

    with pytest.raises(TimeUp), limited(0.3, 60.0):
        work()
    assert time.process_time() - began >= 0.25
