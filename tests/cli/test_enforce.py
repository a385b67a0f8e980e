"""What ends a process that does not end by itself. The processes here import no torch."""

import subprocess
import sys
import time

import pytest

STUCK = """
import itertools
from trainingdoctor.cli.watchdog import watchdog
with watchdog(0.5, "it was stuck"):
    sum(itertools.repeat(0))
"""
CALLED_OFF = """
import time
from trainingdoctor.cli.watchdog import watchdog
with watchdog(0.5, "it was stuck") as call_off:
    call_off()
    time.sleep(1.5)
with watchdog(0.5, "it was stuck"):
    pass
time.sleep(1.0)
"""
THREAD = """
import threading, time
from trainingdoctor.cli.enforce import ended_soon
threading.Thread(target=time.sleep, args=(600,)).start()
print("told")
ended_soon(3, 0.2)
"""
HANDLER = """
import atexit, time
from trainingdoctor.cli.enforce import ended_soon
atexit.register(time.sleep, 600)
ended_soon(3, 0.2)
"""


@pytest.mark.parametrize(
    ("code", "returned", "told", "said"),
    [
        pytest.param(STUCK, -9, "", "trainingdoctor: it was stuck\n", id="interpreter held"),
        pytest.param(CALLED_OFF, 0, "", "", id="called off"),
        pytest.param(THREAD, 3, "told\n", "", id="thread"),
        pytest.param(HANDLER, 3, "", "", id="exit handler"),
    ],
)
def test_a_process_that_does_not_end_is_ended(code: str, returned: int, told: str, said: str) -> None:
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (returned, told, said)
    assert time.monotonic() - began < 100
