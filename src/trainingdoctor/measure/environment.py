"""The environment as facts: versions, GPU, driver, host. Importing this needs no torch, and nothing here judges."""

import os
import platform
import sys
from dataclasses import dataclass, field
from typing import Any

from trainingdoctor.evidence import evidence
from trainingdoctor.measure.environment_gpu import Gpus, read_gpus
from trainingdoctor.measure.environment_host import Host, read_host
from trainingdoctor.measure.environment_imports import fatal_imports
from trainingdoctor.measure.environment_packages import Packages, TorchFacts, read_packages, read_torch

# Environment variables that change what a training does or how fast it is.
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_HOME",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_NO_CUDA_MEMORY_CACHING",
    "TORCH_CUDNN_V8_API_DISABLED",
    "CUBLAS_WORKSPACE_CONFIG",
    "PYTORCH_ENABLE_MPS_FALLBACK",
    "TORCH_SHOW_CPP_STACKTRACES",
    "TORCHDYNAMO_DISABLE",
    "NCCL_DEBUG",
    "NCCL_P2P_DISABLE",
    "PYTHONPATH",
)


@dataclass(frozen=True)
class Environment:
    """Everything that was found. torch: None when it cannot be imported; then `torch_error` says why."""

    python: str
    platform: str
    executable: str
    packages: Packages
    torch: TorchFacts | None
    torch_error: str | None
    gpus: Gpus
    host: Host
    variables: dict[str, str] = field(default_factory=dict)


@evidence()
def environment() -> Environment:
    """Ask Python, the installed packages, torch, NVML and the operating system."""
    fatal = fatal_imports(("numpy", "torch", "torchvision"))
    torch, error = read_torch(fatal)
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        executable=sys.executable,
        packages=read_packages(fatal),
        torch=torch,
        torch_error=error,
        gpus=read_gpus(),
        host=read_host(),
        variables={name: os.environ[name] for name in VARIABLES if name in os.environ},
    )


@dataclass(frozen=True)
class Placement:
    """Where the training runs: the model's device, and the worker processes of its loader."""

    device: str | None
    workers: int


@evidence(optional=("model", "device", "train_loader"))
def placement(model: Any, device: Any, train_loader: Any) -> Placement:
    """Read the model's device, or the one that the training names."""
    parameter = next(iter(model.parameters()), None) if model is not None else None
    where = str(parameter.device.type) if parameter is not None else None if device is None else str(device)
    return Placement(
        device=str(device) if device is not None else where, workers=int(getattr(train_loader, "num_workers", 0) or 0)
    )


@dataclass(frozen=True)
class Arithmetic:
    """Largest relative error of small operations on the device against float64 on the CPU, by operation."""

    device: str
    errors: dict[str, float]
    tolerances: dict[str, float]


@evidence(cost="probe")
def device_arithmetic(environment: Environment) -> Arithmetic:
    """A matrix product, a convolution, a sum and a softmax on the first GPU (or the CPU), against float64."""
    from trainingdoctor.measure.environment_arithmetic import self_test

    return Arithmetic(*self_test(environment))
