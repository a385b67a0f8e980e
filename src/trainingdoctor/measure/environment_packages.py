"""Installed packages, and what the imported torch says of itself."""

import ctypes
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from trainingdoctor.cores import usual_threads
from trainingdoctor.errors import UserCodeError
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.environment_imports import place_of

NAMES = ("torch", "torchvision", "torchaudio", "numpy", "triton", "nvidia-ml-py")


@dataclass(frozen=True)
class Packages:
    """Installed versions by distribution; requirements: what torchvision's own metadata asks of torch.

    nvidia: the CUDA libraries that came as wheels (nvidia-cudnn-cu13, ...).
    """

    installed: dict[str, str] = field(default_factory=dict)
    nvidia: dict[str, str] = field(default_factory=dict)
    torchvision_needs: str | None = None
    torchvision_error: str | None = None
    numpy_error: str | None = None


@dataclass(frozen=True)
class TorchFacts:
    """The torch that was imported. cuda: of its build, None for a CPU build.  cudnn: loaded version, as 91002.

    loaded_libraries: CUDA libraries mapped into the process that do not come from torch's own wheels.
    cuda_runtime: version of the CUDA runtime library that is loaded, as (13, 0).
    """

    version: str
    cuda: str | None
    hip: str | None
    cuda_available: bool
    cuda_error: str | None
    architectures: tuple[str, ...]
    cudnn: int | None
    cudnn_enabled: bool
    nccl: str | None
    mps_built: bool
    mps_available: bool
    tf32_matmul: str
    deterministic: bool
    threads: int
    numpy_works: bool
    loaded_libraries: tuple[str, ...]
    cuda_runtime: tuple[int, int] | None = None


def read_packages(fatal: Mapping[str, str]) -> Packages:
    """Versions from the installed metadata, and whether the neighbours of torch can be imported.

    fatal: packages whose import ends the process, which are not tried.
    """
    installed = {name: version for name in NAMES if (version := _version(name)) is not None}
    wheels = [d for name in ("nvidia_cudnn", "nvidia_cuda_runtime", "nvidia_nccl") for d in _named(name)]
    needs = [r for r in (_requires("torchvision")) if re.match(r"torch\b(?!vision)", r)]
    return Packages(
        installed=installed,
        nvidia={d.metadata["Name"]: d.version for d in wheels},
        torchvision_needs=needs[0] if needs else None,
        torchvision_error=_import_error("torchvision", fatal) if "torchvision" in installed else None,
        numpy_error=_import_error("numpy", fatal) if "numpy" in installed else None,
    )


def _named(start: str) -> Iterator[metadata.Distribution]:
    """Installed wheels by the start of the names of their folders: to read the metadata of all takes 0.1 s of each diagnosis."""
    for folder in map(Path, sys.path):
        yield from map(metadata.Distribution.at, folder.glob(f"{start}*.dist-info"))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def _import_error(name: str, fatal: Mapping[str, str]) -> str | None:
    # Each imports the one before.
    for needed in ("numpy", "torch", "torchvision")[: {"numpy": 1, "torch": 2, "torchvision": 3}[name]]:
        if needed in fatal:
            return fatal[needed]
    try:
        with user_code(f"import {name}"):
            __import__(name)
    except UserCodeError as error:
        return str(error)
    return None


def read_torch(fatal: Mapping[str, str]) -> tuple[TorchFacts | None, str | None]:
    """Import torch and ask it; None and the error where that fails. fatal: as in read_packages."""
    error = _import_error("torch", fatal)
    if error is None:
        try:
            with user_code("asking torch"):
                import torch

                return _torch_facts(torch), None
        except UserCodeError as failure:
            error = str(failure)
    place = place_of("torch")
    return None, f"{error}; it was found in {place}" if place else error


def _torch_facts(torch: Any) -> TorchFacts:
    available, error = _cuda_available(torch)
    cudnn = torch.backends.cudnn
    has_cuda = torch.version.cuda is not None
    return TorchFacts(
        version=torch.__version__,
        cuda=torch.version.cuda,
        hip=getattr(torch.version, "hip", None),
        cuda_available=available,
        cuda_error=error,
        architectures=tuple(torch.cuda.get_arch_list()) if available else (),
        cudnn=cudnn.version() if has_cuda else None,
        cudnn_enabled=cudnn.enabled,
        nccl=".".join(map(str, torch.cuda.nccl.version())) if available and hasattr(torch.cuda, "nccl") else None,
        mps_built=torch.backends.mps.is_built(),
        mps_available=torch.backends.mps.is_available(),
        tf32_matmul=torch.get_float32_matmul_precision(),
        deterministic=torch.are_deterministic_algorithms_enabled(),
        threads=usual_threads(),
        numpy_works=_numpy_works(torch),
        loaded_libraries=_foreign_libraries(Path(torch.__file__).parent.parent),
        cuda_runtime=_loaded_runtime(),
    )


def _cuda_available(torch: Any) -> tuple[bool, str | None]:
    """Whether a GPU can be used, and the reason that initialization gives where it cannot."""
    if torch.cuda.is_available():
        return True, None
    if torch.version.cuda is None:
        return False, None
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return False, str(error).splitlines()[0]
    return False, None


def _numpy_works(torch: Any) -> bool:
    """A torch built for another NumPy ABI imports, and fails at the first conversion."""
    try:
        return bool(torch.zeros(1).numpy().shape == (1,))
    except (RuntimeError, ImportError):
        return False


def _loaded_libraries(names: str) -> list[str]:
    """Libraries mapped into this process whose file names match (Linux)."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return []
    paths = {line.split(maxsplit=5)[-1] for line in maps.read_text().splitlines() if "/" in line}
    return sorted(p for p in paths if re.search(rf"lib({names})[.\-_a-z]*\.so", p))


def _loaded_runtime() -> tuple[int, int] | None:
    """What the loaded CUDA runtime says of itself; it needs no GPU for that."""
    version = ctypes.c_int()
    for path in _loaded_libraries("cudart"):
        if ctypes.CDLL(path).cudaRuntimeGetVersion(ctypes.byref(version)) == 0:
            return version.value // 1000, version.value % 1000 // 10
    return None


def _foreign_libraries(site_packages: Path) -> tuple[str, ...]:
    """CUDA and cuDNN libraries mapped into this process from elsewhere than the wheels."""
    cuda = _loaded_libraries("cudnn|cublas|cudart|nccl")
    # The kernel names the real path; an environment is often reached through a link (lib64, or a linked .venv).
    own = str(site_packages.resolve()) + os.sep
    return tuple(sorted(p for p in cuda if not p.startswith(own)))
