"""The host: cores, memory, shared memory, disk."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Host:
    """Sizes in bytes. usable_cores: those that this process may use (affinity and cgroup quota).  shm: /dev/shm."""

    cores: int
    usable_cores: float
    ram: int
    ram_available: int
    shm: int | None
    shm_free: int | None
    disk_free: int
    temporary_free: int


def read_host() -> Host:
    """Ask the operating system."""
    memory = psutil.virtual_memory()
    shm = shutil.disk_usage("/dev/shm") if Path("/dev/shm").is_dir() else None
    return Host(
        cores=os.cpu_count() or 1,
        usable_cores=min(_affinity(), _quota() or float("inf")),
        ram=memory.total,
        ram_available=memory.available,
        shm=None if shm is None else shm.total,
        shm_free=None if shm is None else shm.free,
        disk_free=shutil.disk_usage(Path.cwd()).free,
        temporary_free=shutil.disk_usage(os.environ.get("TMPDIR", "/tmp")).free
        if Path(os.environ.get("TMPDIR", "/tmp")).exists()
        else 0,
    )


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quota() -> float | None:
    """Cores that a cgroup v2 grants (a container's CPU limit); None without a limit."""
    file = Path("/sys/fs/cgroup/cpu.max")
    if not file.is_file():
        return None
    quota, _, period = file.read_text().strip().partition(" ")
    return None if quota == "max" or not period else float(quota) / float(period)
