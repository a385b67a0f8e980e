"""The software: Python, torch and its neighbours. Every check yields a verdict with what was found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.environment import Arithmetic, Environment

REINSTALL = "pip install --upgrade --force-reinstall torch torchvision"


@check("env.python")
def python(environment: Environment) -> Verdicts:
    """The Python version.

    What it does: compares it with the oldest that is supported.
    Why it costs accuracy: it does not; old versions get old torch builds.
    Remedy: a newer Python.
    Thresholds: 3.11, as this package requires.
    Measured: no measurement; it is a version.
    """
    yield Note(f"Python {environment.python} on {environment.platform} (expected 3.11 or newer)")


@check("env.torch", explains=("env.arithmetic", "env.numpy_abi", "env.torchvision_mismatch"))
def torch(environment: Environment) -> Verdicts:
    """torch cannot be imported.

    What it does: imports it.
    Why it costs accuracy: nothing trains without it.
    Remedy: reinstall torch and torchvision together.
    Thresholds: none.
    Measured: no measurement; it is an error.
    """
    e = environment
    if e.torch is None:
        installed = e.packages.installed.get("torch")
        found = f"torch {installed} is installed but" if installed else "torch is not installed:"
        yield critical(f"{found} {e.torch_error}.", REINSTALL, where="torch", installed=installed)
    else:
        build = f"CUDA {e.torch.cuda}" if e.torch.cuda else f"ROCm {e.torch.hip}" if e.torch.hip else "CPU"
        yield Note(f"torch {e.torch.version}, {build} build, {e.torch.threads} threads")


@check("env.torchvision_mismatch", explains=("training.raises",))
def torchvision_mismatch(environment: Environment) -> Verdicts:
    """torchvision does not fit the installed torch.

    What it does: reads from torchvision's own metadata which torch it was built for, and imports it.
    Why it costs accuracy: operators are missing, with errors that name neither.
    Remedy: install both in one command.
    Thresholds: the exact version that torchvision requires.
    Measured: no measurement; it is an error.
    """
    p = environment.packages
    vision, installed = p.installed.get("torchvision"), p.installed.get("torch")
    if vision is None:
        yield Note("torchvision is not installed")
        return
    needed = re.search(r"==\s*([\d.]+)", p.torchvision_needs or "")
    base = (installed or "").partition("+")[0]
    if needed and base and needed.group(1).rstrip(".") != base:
        yield critical(
            f"torchvision {vision} is built for torch {needed.group(1)}, and torch {installed} is installed.",
            REINSTALL,
            where="torchvision",
        )
    elif p.torchvision_error:
        yield critical(f"torchvision {vision}: {p.torchvision_error}.", REINSTALL, where="torchvision")
    else:
        yield Note(f"torchvision {vision} fits torch {installed}")


@check("env.numpy_abi", explains=("training.raises",))
def numpy_abi(environment: Environment) -> Verdicts:
    """NumPy and torch do not understand each other.

    What it does: imports NumPy and converts a tensor.
    Why it costs accuracy: tensor.numpy() fails, and with it most data sets.
    Remedy: a NumPy of the version that torch was built for.
    Thresholds: none.
    Measured: no measurement; it is an error.
    """
    e = environment
    version = e.packages.installed.get("numpy")
    if e.packages.numpy_error or version is None:
        yield critical(
            f"NumPy cannot be imported: {e.packages.numpy_error or 'it is not installed'}.",
            "pip install --upgrade numpy",
            where="numpy",
        )
    elif e.torch is not None and not e.torch.numpy_works:
        yield critical(
            f"torch {e.torch.version} cannot use NumPy {version}: it was built for another major version.",
            'pip install "numpy<2"',
            where="numpy",
        )
    else:
        yield Note(f"NumPy {version} works with torch")


@check("env.cudnn")
def cudnn(environment: Environment) -> Verdicts:
    """cuDNN is disabled or missing, or CUDA and cuDNN were loaded in other versions than are installed.

    What it does: asks the loaded libraries for their versions, compares them with the installed wheels, and looks for
    CUDA libraries from elsewhere.
    Why it costs accuracy: without it convolutions are many times slower; a foreign one gives errors or wrong speed.
    Remedy: torch.backends.cudnn.enabled = True; no foreign libraries in LD_LIBRARY_PATH.
    Thresholds: equal versions; of CUDA's runtime major and minor.
    Measured: no measurement yet.
    """
    t = environment.torch
    if t is None or t.cuda is None:
        yield Note("torch cannot be imported" if t is None else "no CUDA build: CUDA and cuDNN are not used")
        return
    installed = {name: _wheel(environment, name) for name in ("cuda-runtime", "cudnn")}
    loaded = {
        "cuda-runtime": None if t.cuda_runtime is None else ".".join(map(str, t.cuda_runtime)),
        "cudnn": None if t.cudnn is None else _cudnn_version(t.cudnn),
    }
    other = [n for n, v in loaded.items() if v and installed[n] and not f"{installed[n]}.".startswith(f"{v}.")]
    versions = "; ".join(
        f"{n} loaded {loaded[n] or 'none'}, installed {v or 'within torch'}" for n, v in installed.items()
    )
    if not t.cudnn_enabled:
        yield warning(
            "cuDNN is switched off.", "torch.backends.cudnn.enabled = True", where="torch.backends.cudnn.enabled"
        )
    elif t.loaded_libraries or other:
        outside = (
            f" Loaded from outside torch's wheels: {', '.join(t.loaded_libraries[:3])}." if t.loaded_libraries else ""
        )
        yield warning(
            f"Other CUDA libraries are loaded than are installed: {versions}.{outside}",
            "unset LD_LIBRARY_PATH  # and, if that is not it: " + REINSTALL,
            where="LD_LIBRARY_PATH",
            confidence=0.7,
        )
    elif t.cudnn is None and t.cuda_available:
        yield warning("cuDNN is not available in this build.", REINSTALL, where="torch.backends.cudnn")
    else:
        yield Note(versions)


def _wheel(environment: Environment, name: str) -> str | None:
    """The installed version of nvidia-NAME or nvidia-NAME-cu13."""
    names = re.compile(rf"nvidia-{name}(-cu\d+)?$")
    return next((v for n, v in environment.packages.nvidia.items() if names.match(n)), None)


def _cudnn_version(number: int) -> str:
    """92400 is 9.24.0; until version 8, 8902 was 8.9.2."""
    base = 10_000 if number >= 90_000 else 1_000
    return f"{number // base}.{number % base // 100}.{number % 100}"


@check("env.nccl")
def nccl(environment: Environment) -> Verdicts:
    """NCCL, which several GPUs need.

    What it does: compares the version that torch reports with the installed wheel.
    Why it costs accuracy: it does not; without it several GPUs cannot train together.
    Remedy: reinstall torch.
    Thresholds: missing with more than one GPU.
    Measured: no measurement yet.
    """
    t, gpus = environment.torch, environment.gpus.devices
    wheel = next((f"{n} {v}" for n, v in environment.packages.nvidia.items() if n.startswith("nvidia-nccl")), None)
    if len(gpus) > 1 and t is not None and t.cuda_available and t.nccl is None:
        yield warning(f"{len(gpus)} GPUs, and torch has no NCCL.", REINSTALL, where="torch.cuda.nccl")
    else:
        yield Note(f"NCCL {t.nccl if t and t.nccl else 'not in use'}, installed {wheel or 'no wheel'}")


@check("env.tf32")
def tf32(environment: Environment) -> Verdicts:
    """float32 products on the GPU: full precision, or TF32.

    What it does: reads torch's setting where a GPU since Ampere (compute capability 8.0) is there.
    Why it costs accuracy: it costs speed when off; 10 bits of mantissa are enough for training.
    Remedy: torch.set_float32_matmul_precision("high")
    Thresholds: an info only.
    Measured: no measurement yet.
    """
    t = environment.torch
    able = [g for g in environment.gpus.devices if g.capability and g.capability >= (8, 0)]
    if t is None or not able:
        yield Note("no GPU that has TF32")
    elif environment.variables.get("NVIDIA_TF32_OVERRIDE") == "0" or t.tf32_matmul == "highest":
        yield info(
            "Matrix products in float32 run without TF32.",
            'torch.set_float32_matmul_precision("high")',
            where="torch.backends.cuda.matmul",
        )
    else:
        yield Note(f"float32 matmul precision {t.tf32_matmul}")


@check("env.deterministic")
def deterministic(environment: Environment) -> Verdicts:
    """Deterministic algorithms.

    What it does: reads torch's switch and cuBLAS's variable.
    Why it costs accuracy: it costs speed only; without the cuBLAS variable it raises.
    Remedy: CUBLAS_WORKSPACE_CONFIG=:4096:8
    Thresholds: none.
    Measured: no measurement yet.
    """
    t = environment.torch
    if (
        t is not None
        and t.deterministic
        and t.cuda_available
        and "CUBLAS_WORKSPACE_CONFIG" not in environment.variables
    ):
        yield warning(
            "Deterministic algorithms are on, and cuBLAS will raise for want of its variable.",
            "export CUBLAS_WORKSPACE_CONFIG=:4096:8",
            where="CUBLAS_WORKSPACE_CONFIG",
        )
    else:
        yield Note(f"deterministic algorithms {'on' if t and t.deterministic else 'off'}")


@check("env.variables")
def variables(environment: Environment) -> Verdicts:
    """Environment variables that change what a training does or how fast.

    What it does: lists them, and names those that are known to cripple a run.
    Why it costs accuracy: CUDA_LAUNCH_BLOCKING=1 serializes every kernel; an empty CUDA_VISIBLE_DEVICES hides all GPUs.
    Remedy: unset them.
    Thresholds: none.
    Measured: no measurement yet.
    """
    found = environment.variables
    harmful = {
        "CUDA_LAUNCH_BLOCKING": ("1",),
        "PYTORCH_NO_CUDA_MEMORY_CACHING": ("1",),
        "TORCH_CUDNN_V8_API_DISABLED": ("1",),
    }
    sick = [n for n, values in harmful.items() if found.get(n) in values]
    hidden = found.get("CUDA_VISIBLE_DEVICES") in ("", "-1") and environment.gpus.present
    if sick or hidden:
        names = [*sick, *(["CUDA_VISIBLE_DEVICES"] if hidden else [])]
        yield warning(
            "; ".join(
                f"{n}={found[n]!r} "
                + ("hides every GPU" if n == "CUDA_VISIBLE_DEVICES" else "makes every GPU step slow")
                for n in names
            )
            + ".",
            "unset " + " ".join(names),
            where=tuple(names),
        )
    else:
        yield Note(f"set: {', '.join(found) or 'none of those that matter'}")


@check("env.arithmetic", cost="probe", explains=("loss.nonfinite", "loop.nonfinite", "loss.diverges"))
def arithmetic(device_arithmetic: Arithmetic) -> Verdicts:
    """The device computes wrongly.

    What it does: a matrix product, a convolution, a sum and a softmax in float32 against float64 on the CPU.
    Why it costs accuracy: a faulty device or library gives noise that looks like bad training.
    Remedy: another device; a memory test; reinstall torch.
    Thresholds: a relative error of 1e-4, or 5e-3 where a GPU may use TF32 (10 bits of mantissa).
    Measured: no measurement yet.
    """
    a = device_arithmetic
    wrong = {n: e for n, e in a.errors.items() if not e <= a.tolerances[n]}
    if wrong:
        yield critical(
            f"On {a.device} {', '.join(f'{n} is off by {e:.1e}' for n, e in wrong.items())} (relative, against float64).",
            "Try another device, and " + REINSTALL,
            where=a.device,
            **wrong,
        )
    else:
        yield Note(f"{a.device}: largest relative error {max(a.errors.values()):.0e} against float64")


CHECKS = (
    python,
    torch,
    torchvision_mismatch,
    numpy_abi,
    cudnn,
    nccl,
    tf32,
    deterministic,
    variables,
    arithmetic,
)
