"""Observe a script in a child process, and wait for what it has to say."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from trainingdoctor.aside import aside
from trainingdoctor.errors import Terminated, UserError
from trainingdoctor.finding import Finding
from trainingdoctor.history.curves import LearningCurves
from trainingdoctor.observing.child import MARGIN, Answer, Order
from trainingdoctor.observing.interruption import PATIENCE
from trainingdoctor.report import Report
from trainingdoctor.settings import Settings

# Of what a script prints, the end is kept, for when it dies.
TAIL = 64 * 1024
CLAIMED = "{} goes no further where torch.cuda.is_available() is False: it was told True, and ran on the CPU"
# By this variable of the environment all that a script starts is known.
MARK = "TRAININGDOCTOR_WATCHED"


def observed_answer(
    script: Path,
    arguments: Sequence[str] = (),
    *,
    settings: Settings,
    steps: int = 50,
    seed: int = 0,
    device: str | None = None,
    keep: Path | None = None,
    history: LearningCurves | None = None,
    texts: Mapping[Path, str] | None = None,
    codes: tuple[str, ...] | None = None,
    if_cut: Callable[[Report], object] | None = None,
) -> Answer:
    """Run a training script in a child process, for about `steps` steps, and diagnose what was seen.

    keep: the folder for what the script writes (default: one that is deleted).  history: curves of a finished run.  texts: in
    place of files.  codes: propose fixes, for these findings.  if_cut: gets what is known by then at Ctrl-C and SIGTERM.  The child and everything that it started are killed at the
    time limit. Raises UserError in one sentence where there is nothing to report.
    """
    with tempfile.TemporaryDirectory(prefix="trainingdoctor-") as folder:
        scratch = keep or Path(folder) / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        order = Order(
            script=script.resolve(),
            arguments=tuple(arguments),
            answer=Path(folder) / "answer",
            scratch=scratch,
            settings=settings,
            steps=steps,
            seed=seed,
            cpu=device is None or not device.startswith("cuda"),
            source=_source(script),
            history=history,
            texts=texts or {},
            codes=codes,
        )
        answer = _run(order, Path(folder), if_cut)
        if answer.denied and order.cpu:
            answer = _told_of_gpu(order, Path(folder), if_cut) or answer
    if order.source is not None:
        answer = _by_cell(answer, script)
    if answer.report is None and answer.error:
        raise UserError(answer.error)
    return answer


def _source(script: Path) -> str | None:
    if script.suffix != ".ipynb":
        return None
    from trainingdoctor.loading.notebook import notebook_source

    return notebook_source(script)


def _by_cell(answer: Answer, notebook: Path) -> Answer:
    """With lines of the notebook told by cell."""
    from trainingdoctor.loading.notebook import by_cell

    told = by_cell(notebook)

    def of(finding: Finding) -> Finding:
        return replace(finding, message=told(finding.message), where=tuple(map(told, finding.where)))

    report = answer.report
    if report is not None:
        results = (replace(r, reason=told(r.reason), findings=tuple(map(of, r.findings))) for r in report.results)
        report = replace(report, results=tuple(results))
    return replace(answer, report=report, error=told(answer.error), notes=tuple(map(told, answer.notes)))


def _told_of_gpu(order: Order, folder: Path, if_cut: Callable[[Report], object] | None) -> Answer | None:
    """Once more, for a script that goes no further without a GPU; None where that does not help either."""
    order.answer.unlink()
    answer = _run(replace(order, claimed=True), folder, if_cut)
    return replace(answer, notes=(CLAIMED.format(order.script.name), *answer.notes)) if answer.report else None


def _run(order: Order, folder: Path, if_cut: Callable[[Report], object] | None) -> Answer:
    spec = folder / "order"
    spec.write_bytes(pickle.dumps(order))
    with _terminal() as stdin:
        child = subprocess.Popen(
            [sys.executable, "-c", "from trainingdoctor.observing.child import main; main()", str(spec)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Where Jupyter runs a notebook.
            cwd=order.script.parent if order.source is not None else None,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", MARK: str(folder)},
        )
        try:
            return _answered(child, order, patient=if_cut is not None)
        except (KeyboardInterrupt, Terminated):
            if if_cut is not None and order.answer.is_file() and (report := _given(order).report) is not None:
                if_cut(report)
            raise


def _given(order: Order) -> Answer:
    answer: Answer = pickle.loads(order.answer.read_bytes())
    return answer


def _answered(child: subprocess.Popen[bytes], order: Order, patient: bool) -> Answer:
    """patient: at Ctrl-C and SIGTERM, let the child tell first what it knows; a second one is not waited for."""
    assert child.stdout is not None
    tail = bytearray()
    reader = threading.Thread(target=_drain, args=(child.stdout, tail), daemon=True)
    reader.start()
    try:
        _wait(child, order, order.settings.time_limit + MARGIN)
        killed = child.returncode == -signal.SIGKILL
    except (KeyboardInterrupt, Terminated):
        if patient:
            child.send_signal(signal.SIGINT)
            aside("telling what was seen; Ctrl-C again ends at once")
            _wait(child, order, PATIENCE)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        _end_strays(str(order.answer.parent))
    reader.join(1.0)
    if order.answer.is_file():
        return _given(order)
    return Answer(error=_why_silent(order, child.returncode, killed, bytes(tail)))


def _end_strays(folder: str) -> None:
    """Kill what the script started in sessions of their own: environments are inherited. Linux alone shows them."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


@contextlib.contextmanager
def _terminal() -> Iterator[int]:
    """A terminal of 24 rows and 80 columns that says end-of-file to whoever reads: scripts ask `stty size`, or for input."""
    try:
        master, slave = os.openpty()
    except OSError:
        yield subprocess.DEVNULL
        return
    try:
        termios.tcsetwinsize(slave, (24, 80))
        os.write(master, b"\x04" * 256)
        yield slave
    finally:
        os.close(slave)
        os.close(master)


def _wait(child: subprocess.Popen[bytes], order: Order, seconds: float) -> None:
    """Until the child is gone, has answered, or its time is up."""
    ends = time.monotonic() + seconds
    while child.poll() is None and not order.answer.is_file() and time.monotonic() < ends:
        time.sleep(0.05)


def _drain(stream: IO[bytes], tail: bytearray) -> None:
    while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
        tail += chunk
        del tail[:-TAIL]


def _why_silent(order: Order, code: int | None, killed: bool, tail: bytes) -> str:
    name, limit = order.script.name, order.settings.time_limit
    if killed:
        return f"{name} was killed from outside, as the system does where memory ends: try smaller batches or fewer workers"
    if code == -signal.SIGKILL:
        return f"{name} could not be stopped within {limit:g} s, and was killed"
    lines = [line for line in tail.decode(errors="replace").splitlines() if line.strip()]
    said = f": {lines[-1].strip()[:300]}" if lines else ""
    return f"{name} ended the process (exit code {code}) before anything could be seen{said}"
