"""The host: shared memory, disk, memory, threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.environment import Environment, Placement

GIB = 1 << 30


@check("env.shm", explains=("training.raises",), references=("PyTorch README, Docker image: shared memory",))
def shm(environment: Environment, placement: Placement, *, least: float = 1.0) -> Verdicts:
    """Little shared memory for the loader's workers.

    What it does: compares the free space of /dev/shm with the training's worker processes.
    Why it costs accuracy: workers die with "bus error"; containers have 64 MiB by default.
    Remedy: docker run --shm-size=8g (or --ipc=host)
    Thresholds: under 1 GiB free with at least one worker.
    Measured: no measurement yet.
    """
    h = environment.host
    if h.shm_free is None:
        yield Note("no /dev/shm on this system")
    elif placement.workers and h.shm_free < least * GIB:
        yield warning(
            f"{h.shm_free / GIB:.2f} GiB of /dev/shm are free for {placement.workers} workers.",
            "docker run --shm-size=8g",
            where="/dev/shm",
        )
    else:
        yield Note(
            f"{h.shm_free / GIB:.2g} GiB of /dev/shm free for {placement.workers} workers (expected {least:g} or more)"
        )


@check("env.disk")
def disk(environment: Environment, *, least: float = 1.0) -> Verdicts:
    """Little disk space for checkpoints.

    What it does: reads the free space of the working folder and of the temporary one.
    Why it costs accuracy: a checkpoint that cannot be written ends the run.
    Remedy: free some space.
    Thresholds: under 1 GiB.
    Measured: no measurement yet.
    """
    h = environment.host
    free = min(h.disk_free, h.temporary_free or h.disk_free)
    if free < least * GIB:
        yield warning(f"{free / GIB:.2f} GiB are free on disk.", "Free some space, or set TMPDIR", where="disk")
    else:
        yield Note(f"{free / GIB:.0f} GiB free (expected {least:g} or more)")


@check("env.ram")
def ram(environment: Environment, *, least: float = 1.0) -> Verdicts:
    """Little free memory.

    What it does: asks the operating system what is available.
    Why it costs accuracy: the process is killed without a word, or swaps.
    Remedy: fewer workers; end other processes.
    Thresholds: under 1 GiB.
    Measured: no measurement yet.
    """
    h = environment.host
    if h.ram_available < least * GIB:
        yield warning(
            f"{h.ram_available / GIB:.2f} of {h.ram / GIB:.0f} GiB memory are available.",
            "Fewer workers, or end other processes",
            where="memory",
        )
    else:
        yield Note(f"{h.ram_available / GIB:.0f} of {h.ram / GIB:.0f} GiB available (expected {least:g} or more)")


@check("env.threads")
def threads(environment: Environment, placement: Placement) -> Verdicts:
    """Threads and workers against cores.

    What it does: compares torch's threads and the loader's workers with the cores that this process may use.
    Why it costs accuracy: it costs time: threads beyond the cores wait for each other.
    Remedy: OMP_NUM_THREADS
    Thresholds: torch's threads at twice the usable cores warn on a CPU training; workers beyond the cores inform.
    Measured: no measurement yet.
    """
    cores, t = environment.host.usable_cores, environment.torch
    if t is not None and t.threads > 2 * max(cores, 1) and not t.cuda_available:
        yield warning(
            f"torch uses {t.threads} threads on {cores:g} usable cores.",
            f"export OMP_NUM_THREADS={max(1, int(cores))}",
            where="OMP_NUM_THREADS",
        )
    elif placement.workers > max(cores, 1):
        yield info(
            f"{placement.workers} workers on {cores:g} usable cores.",
            f"num_workers={max(1, int(cores))}",
            where="train_loader.num_workers",
        )
    else:
        yield Note(
            f"{t.threads if t else '?'} threads and {placement.workers} workers on {cores:g} usable cores "
            f"(expected {2 * cores:g} threads or fewer)"
        )


CHECKS = (shm, disk, ram, threads)
