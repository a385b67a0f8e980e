"""Installed packages, and what the imported torch says of itself."""

import os
import re
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from trainingdoctor.errors import UserCodeError
from trainingdoctor.measure.calling import user_code

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


def read_packages() -> Packages:
    """Versions from the installed metadata, without importing torch."""
    installed = {name: version for name in NAMES if (version := _version(name)) is not None}
    nvidia = {
        d.name: d.version
        for d in metadata.distributions()
        if d.name and d.name.startswith(("nvidia-cudnn", "nvidia-cuda-runtime", "nvidia-nccl"))
    }
    needs = [r for r in (_requires("torchvision")) if re.match(r"torch\b(?!vision)", r)]
    return Packages(
        installed=installed,
        nvidia=nvidia,
        torchvision_needs=needs[0] if needs else None,
        torchvision_error=_import_error("torchvision") if "torchvision" in installed else None,
        numpy_error=_import_error("numpy") if "numpy" in installed else None,
    )


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


def _import_error(name: str) -> str | None:
    try:
        with user_code(f"import {name}"):
            __import__(name)
    except UserCodeError as error:
        return str(error)
    return None


def read_torch() -> tuple[TorchFacts | None, str | None]:
    """Import torch and ask it; None and the error where that fails."""
    try:
        with user_code("import torch"):
            import torch

            return _torch_facts(torch), None
    except UserCodeError as error:
        return None, str(error)


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
        threads=torch.get_num_threads(),
        numpy_works=_numpy_works(torch),
        loaded_libraries=_foreign_libraries(Path(torch.__file__).parent.parent),
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


def _foreign_libraries(site_packages: Path) -> tuple[str, ...]:
    """CUDA and cuDNN libraries mapped into this process from elsewhere than the wheels (Linux)."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return ()
    paths = {line.split(maxsplit=5)[-1] for line in maps.read_text().splitlines() if "/" in line}
    cuda = [p for p in paths if re.search(r"lib(cudnn|cublas|cudart|nccl)[.\-_a-z]*\.so", p)]
    # The kernel names the real path; an environment is often reached through a link (lib64, or a linked .venv).
    own = str(site_packages.resolve()) + os.sep
    return tuple(sorted(p for p in cuda if not p.startswith(own)))
