"""Environment checks. No GPU is needed: the NVML answers below are CONSTRUCTED after the real interface's types and units

(nvidia-ml-py's functions, bytes, milliwatts, bit masks), with the figures of an H100 80GB and driver 580.159.04.
"""

import os
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from trainingdoctor import Note
from trainingdoctor.measure.environment import Arithmetic, Environment, Placement
from trainingdoctor.measure.environment_gpu import Gpus, read_gpus
from trainingdoctor.measure.environment_host import Host
from trainingdoctor.measure.environment_imports import fatal_imports
from trainingdoctor.measure.environment_packages import Packages, TorchFacts
from trainingdoctor.render.environment import print_environment
from trainingdoctor.report import Outcome, Report, Result
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks import environment as software
from trainingdoctor_checks import environment_gpu as gpu
from trainingdoctor_checks import environment_host as host

GIB = 1 << 30


class NotSupported(Exception):
    """Stands for pynvml.NVMLError."""


def recorded_nvml(**answers: Any) -> SimpleNamespace:
    """A stand-in for pynvml with constructed answers (see the module's first lines)."""

    def unsupported(*_: Any) -> Any:
        raise NotSupported("Not Supported")

    given = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: "580.159.04",
        "nvmlSystemGetCudaDriverVersion_v2": lambda: 13000,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda i: i,
        "nvmlDeviceGetMemoryInfo": lambda h: SimpleNamespace(total=81559 << 20, free=80000 << 20, used=1559 << 20),
        "nvmlDeviceGetName": lambda h: b"NVIDIA H100 80GB HBM3",
        "nvmlDeviceGetCudaComputeCapability": lambda h: (9, 0),
        "nvmlDeviceGetTemperature": lambda h, s: 34,
        "nvmlDeviceGetCurrentClocksEventReasons": lambda h: 0x1,
        "nvmlDeviceGetTotalEccErrors": lambda h, e, c: 0,
        "nvmlDeviceGetClockInfo": lambda h, c: 345,
        "nvmlDeviceGetMaxClockInfo": lambda h, c: 1980,
        "nvmlDeviceGetPowerUsage": lambda h: 72_000,
        "nvmlDeviceGetEnforcedPowerLimit": unsupported,
        "nvmlDeviceGetCurrPcieLinkGeneration": lambda h: 5,
        "nvmlDeviceGetCurrPcieLinkWidth": lambda h: 16,
        "nvmlDeviceGetMaxPcieLinkGeneration": lambda h: 5,
        "nvmlDeviceGetMaxPcieLinkWidth": lambda h: 16,
        "nvmlDeviceGetComputeRunningProcesses": lambda h: [],
        "nvmlSystemGetProcessName": lambda pid: b"python",
        **answers,
    }
    constants = dict.fromkeys(
        ("NVML_TEMPERATURE_GPU", "NVML_MEMORY_ERROR_TYPE_UNCORRECTED", "NVML_VOLATILE_ECC", "NVML_CLOCK_SM"), 0
    )
    return SimpleNamespace(NVMLError=NotSupported, **constants, **given)


H100 = read_gpus(recorded_nvml())
TORCH = TorchFacts(
    "2.15.0+cu132",
    "13.2",
    None,
    True,
    None,
    ("sm_80", "sm_90", "compute_90"),
    92600,
    True,
    "2.30.7",
    False,
    False,
    "high",
    False,
    2,
    True,
    (),
    (13, 2),
)
PACKAGES = Packages(
    {"torch": "2.15.0", "torchvision": "0.29.2", "numpy": "2.4.6"},
    {"nvidia-cudnn-cu13": "9.26.0.51", "nvidia-cuda-runtime": "13.2.20"},
    "torch==2.15.0",
)
HOST = Host(16, 16.0, 128 * GIB, 100 * GIB, 64 * GIB, 64 * GIB, 500 * GIB, 500 * GIB)
GOOD = Environment("3.12.3", "Linux", "python", PACKAGES, TORCH, None, H100, HOST, {})
CPU = replace(
    GOOD,
    torch=replace(TORCH, cuda=None, cuda_available=False, cudnn=None, architectures=()),
    gpus=Gpus(False, True, "Driver Not Loaded"),
)
ON_GPU, ON_CPU = Placement("cuda", 4), Placement("cpu", 4)


def with_gpu(**answers: Any) -> Environment:
    return replace(GOOD, gpus=read_gpus(recorded_nvml(**answers)))


def test_nvml_answers_are_read_in_their_units() -> None:
    device = H100.devices[0]
    assert (H100.driver, H100.cuda, device.name) == ("580.159.04", (13, 0), "NVIDIA H100 80GB HBM3")
    assert (device.power, device.power_limit, device.throttling) == (72.0, None, ())
    assert device.pcie == (5, 16)


def failing() -> None:
    raise NotSupported("Driver/library version mismatch")


NEEDS_PLACEMENT = {"env.gpu_not_used", "env.shm", "env.threads"}
SICK = [
    (software.torch, replace(GOOD, torch=None, torch_error="import torch raised OSError"), "critical"),
    (
        software.torchvision_mismatch,
        replace(GOOD, packages=replace(PACKAGES, torchvision_needs="torch==2.14.0")),
        "critical",
    ),
    (software.numpy_abi, replace(GOOD, torch=replace(TORCH, numpy_works=False)), "critical"),
    (software.cudnn, replace(GOOD, torch=replace(TORCH, cudnn_enabled=False)), "warning"),
    (software.cudnn, replace(GOOD, torch=replace(TORCH, loaded_libraries=("/opt/cuda/libcudnn.so.8",))), "warning"),
    (software.cudnn, replace(GOOD, torch=replace(TORCH, cudnn=91002)), "warning"),
    (software.cudnn, replace(GOOD, torch=replace(TORCH, cudnn=8902)), "warning"),
    (software.cudnn, replace(GOOD, torch=replace(TORCH, cuda_runtime=(12, 8))), "warning"),
    (
        software.nccl,
        replace(GOOD, torch=replace(TORCH, nccl=None), gpus=replace(H100, devices=H100.devices * 2)),
        "warning",
    ),
    (software.tf32, replace(GOOD, torch=replace(TORCH, tf32_matmul="highest")), "info"),
    (software.deterministic, replace(GOOD, torch=replace(TORCH, deterministic=True)), "warning"),
    (software.variables, replace(GOOD, variables={"CUDA_LAUNCH_BLOCKING": "1"}), "warning"),
    (software.variables, replace(GOOD, variables={"CUDA_VISIBLE_DEVICES": ""}), "warning"),
    (gpu.cpu_build_on_gpu_machine, replace(GOOD, torch=replace(TORCH, cuda=None)), "critical"),
    (gpu.gpu_not_used, (GOOD, ON_CPU), "warning"),
    (gpu.driver_too_old, with_gpu(nvmlSystemGetDriverVersion=lambda: "535.183.01"), "critical"),
    (gpu.nvml_mismatch, with_gpu(nvmlInit=failing), "critical"),
    (gpu.nvml_mismatch, replace(GOOD, gpus=replace(H100, kernel_module="575.57.08")), "critical"),
    (gpu.architecture_unsupported, with_gpu(nvmlDeviceGetCudaComputeCapability=lambda h: (6, 1)), "critical"),
    (
        gpu.memory,
        with_gpu(nvmlDeviceGetMemoryInfo=lambda h: SimpleNamespace(total=80 * GIB, free=GIB, used=79 * GIB)),
        "warning",
    ),
    (
        gpu.foreign_process,
        with_gpu(nvmlDeviceGetComputeRunningProcesses=lambda h: [SimpleNamespace(pid=7, usedGpuMemory=40 * GIB)]),
        "info",
    ),
    (gpu.throttling, with_gpu(nvmlDeviceGetCurrentClocksEventReasons=lambda h: 0x40), "warning"),
    (gpu.ecc, with_gpu(nvmlDeviceGetTotalEccErrors=lambda h, e, c: 3), "critical"),
    (gpu.pcie, with_gpu(nvmlDeviceGetCurrPcieLinkWidth=lambda h: 4), "info"),
    (host.shm, (replace(GOOD, host=replace(HOST, shm_free=64 << 20)), ON_GPU), "warning"),
    (host.disk, replace(GOOD, host=replace(HOST, disk_free=1 << 20)), "warning"),
    (host.ram, replace(GOOD, host=replace(HOST, ram_available=1 << 20)), "warning"),
    (
        host.threads,
        (
            replace(CPU, host=replace(HOST, usable_cores=2.0), torch=replace(TORCH, threads=64, cuda_available=False)),
            ON_CPU,
        ),
        "warning",
    ),
]


@pytest.mark.parametrize(("check", "evidence", "severity"), SICK, ids=lambda v: getattr(v, "code", None))
def test_sick(check: Any, evidence: Any, severity: str) -> None:
    assert_unwell(check, *(evidence if isinstance(evidence, tuple) else (evidence,)), severity=severity)


@pytest.mark.parametrize("environment", [GOOD, CPU], ids=["gpu", "cpu"])
@pytest.mark.parametrize(
    "check", [c for m in (software, gpu, host) for c in m.CHECKS if c.code != "env.arithmetic"], ids=lambda c: c.code
)
def test_healthy_gives_one_verdict(check: Any, environment: Environment) -> None:
    placement = ON_GPU if environment is GOOD else ON_CPU
    given = (environment, placement) if check.code in NEEDS_PLACEMENT else (environment,)
    assert len(assert_healthy(check, *given)) == 1


def test_this_process_is_not_a_foreign_one() -> None:
    mine = with_gpu(
        nvmlDeviceGetComputeRunningProcesses=lambda h: [SimpleNamespace(pid=os.getpid(), usedGpuMemory=40 * GIB)]
    )
    assert mine.gpus.devices[0].processes == ()


def test_what_ends_the_process_is_found_without_ending_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module_that_dies.py").write_text("import os\nos.abort()\n")
    (tmp_path / "module_that_leaves.py").write_text("import os\nos._exit(3)\n")
    (tmp_path / "module_that_raises.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("module_that_raises", "module_that_dies", "module_that_leaves")
    assert fatal_imports(names) == {
        "module_that_dies": "import module_that_dies ends the process with SIGABRT",
        "module_that_leaves": "import module_that_leaves ends the process with exit code 3",
    }


def test_what_many_checks_say_alike_is_one_line() -> None:
    results = [
        Result(c.code, Outcome.HEALTHY, c.cost, notes=tuple(n for n in c(CPU) if isinstance(n, Note)))
        for c in gpu.CHECKS
        if c.code not in NEEDS_PLACEMENT
    ]
    console = Console(file=StringIO(), width=300)
    print_environment(Report("environment", tuple(results)), console)
    assert console.file.getvalue().count("no NVIDIA GPU here") == 1  # type: ignore[attr-defined]


def test_no_workers_need_no_shared_memory() -> None:
    small = replace(GOOD, host=replace(HOST, shm_free=64 << 20))
    assert_healthy(host.shm, small, Placement("cuda", 0))


def test_wrong_arithmetic_is_critical() -> None:
    assert_unwell(software.arithmetic, Arithmetic("cuda", {"matmul": 0.1}, {"matmul": 1e-2}), severity="critical")
    assert_healthy(software.arithmetic, Arithmetic("cpu", {"matmul": 1e-7}, {"matmul": 1e-4}))
