"""The reference's residual blocks on CUDA kernels of this package, on NVIDIA GPUs."""

from importlib.util import find_spec

import torch

__all__ = ["why_not"]


def why_not(device: str, precision: str) -> str | None:
    """Why a run cannot have the kernels, or None."""
    if not device.startswith("cuda") or torch.version.hip:
        return f"{device} is no NVIDIA GPU"
    if precision != "bfloat16":
        return f"the kernels compute in bfloat16, not in {precision}"
    if torch.cuda.get_device_capability(device) < (8, 0):
        return f"{device} is older than compute capability 8.0"
    # It comes with PyTorch's CUDA builds from 2.9 on.
    if not _has_bindings():
        return "cuda-bindings is not installed (pip install cuda-bindings)"
    return None


def _has_bindings() -> bool:
    try:
        return find_spec("cuda.bindings") is not None
    except ModuleNotFoundError:
        return False
