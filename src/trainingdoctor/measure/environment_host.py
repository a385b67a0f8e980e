"""The host: cores, memory, shared memory, disk."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from trainingdoctor.cores import usable_cores


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
        usable_cores=usable_cores(),
        ram=memory.total,
        ram_available=memory.available,
        shm=None if shm is None else shm.total,
        shm_free=None if shm is None else shm.free,
        disk_free=shutil.disk_usage(Path.cwd()).free,
        temporary_free=shutil.disk_usage(os.environ.get("TMPDIR", "/tmp")).free
        if Path(os.environ.get("TMPDIR", "/tmp")).exists()
        else 0,
    )
