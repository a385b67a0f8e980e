from dataclasses import replace

import pytest
import torch

from trainingdoctor import cores
from trainingdoctor.cores import Moment, spare_cores, usual_threads, yield_cores

BEGIN = Moment(wall=100.0, busy=1000.0, own=5.0)


def ten_seconds_ago() -> Moment:
    now = Moment.now()
    return replace(now, wall=now.wall - 10)


@pytest.mark.parametrize(
    ("busy", "own", "usable", "spare"),
    [
        pytest.param(1002.0, 7.0, 2.0, 2, id="alone"),
        pytest.param(1004.0, 7.0, 2.0, 1, id="beside one"),
        pytest.param(1010.0, 7.0, 2.0, 1, id="beside many"),
        pytest.param(1000.0, 7.0, 2.0, 2, id="clocks that differ"),
        pytest.param(1002.0, 7.0, 1.0, 1, id="a container's one"),
    ],
)
def test_spare(busy: float, own: float, usable: float, spare: int) -> None:
    assert spare_cores(BEGIN, Moment(102.0, busy, own), 2, usable) == spare


def test_others_do_not_eat_a_containers_share_of_a_large_machine() -> None:
    assert spare_cores(BEGIN, Moment(102.0, 1022.0, 7.0), 64, 4.0) == 4


def test_threads_make_way_and_the_usual_number_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    had = torch.get_num_threads()
    monkeypatch.setattr(cores, "_usual", [])
    monkeypatch.setattr(cores, "usable_cores", lambda: 3.0)
    monkeypatch.setattr(cores.os, "cpu_count", lambda: 4)
    try:
        torch.set_num_threads(4)
        yield_cores(ten_seconds_ago())
        assert torch.get_num_threads() == 3
        assert usual_threads() == 4
    finally:
        torch.set_num_threads(had)


def test_more_threads_are_never_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    had = torch.get_num_threads()
    monkeypatch.setattr(cores, "usable_cores", lambda: 64.0)
    monkeypatch.setattr(cores.os, "cpu_count", lambda: 64)
    yield_cores(ten_seconds_ago())
    assert torch.get_num_threads() == had


def test_a_short_while_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    had = torch.get_num_threads()
    monkeypatch.setattr(cores, "usable_cores", lambda: 0.5)
    yield_cores(Moment.now())
    assert torch.get_num_threads() == had
