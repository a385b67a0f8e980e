"""NVIDIA GPUs and their driver, through nvidia-ml-py where it is installed."""

import os
import re
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from trainingdoctor.errors import UserCodeError
from trainingdoctor.measure.calling import user_code

GIB = 1 << 30


@dataclass(frozen=True)
class Process:
    """A process that holds GPU memory, in bytes (None where the driver does not tell)."""

    pid: int
    name: str
    memory: int | None


@dataclass(frozen=True)
class Gpu:
    """One GPU. Memory in bytes, temperature in Celsius, clocks in MHz, power in watts; None: not supported.

    processes: others than this one.  throttling: names of the active reasons.  ecc_errors: uncorrected, since boot.  pcie: (generation, width), now and
    at most.
    """

    index: int
    name: str
    capability: tuple[int, int] | None
    memory: int
    free: int
    temperature: int | None = None
    throttling: tuple[str, ...] = ()
    ecc_errors: int | None = None
    clock: int | None = None
    clock_max: int | None = None
    power: float | None = None
    power_limit: float | None = None
    pcie: tuple[int, int] | None = None
    pcie_max: tuple[int, int] | None = None
    processes: tuple[Process, ...] = ()


@dataclass(frozen=True)
class Gpus:
    """What NVML says. present: device files or the kernel driver are there even if NVML cannot be asked.

    error: why NVML could not be asked.  driver: version.  cuda: newest CUDA that the driver supports, as (13, 0).
    kernel_module: the loaded kernel module's version.
    """

    present: bool
    binding: bool
    error: str | None = None
    driver: str | None = None
    cuda: tuple[int, int] | None = None
    kernel_module: str | None = None
    devices: tuple[Gpu, ...] = field(default=())


# nvmlClocksEventReasons in nvml.h; idle and application clocks are no throttling.
REASONS = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}


def read_gpus(nvml: Any = None) -> Gpus:
    """Ask NVML. nvml: the module, or a stand-in with recorded answers; by default pynvml where it is installed."""
    present = Path("/dev/nvidia0").exists() or Path("/proc/driver/nvidia/version").exists()
    module = _kernel_module()
    if nvml is None:
        try:
            with user_code("import pynvml"):
                nvml = import_module("pynvml")
        except UserCodeError:
            return Gpus(present, binding=False, error="nvidia-ml-py is not installed", kernel_module=module)
    try:
        with user_code("NVML"):
            return _asked(nvml, module)
    except UserCodeError as error:
        return Gpus(present, binding=True, error=str(error.error), kernel_module=module)


def _kernel_module() -> str | None:
    file = Path("/proc/driver/nvidia/version")
    found = re.search(r"Module.*?(\d+\.\d+(?:\.\d+)?)", file.read_text()) if file.exists() else None
    return found.group(1) if found else None


def _asked(nvml: Any, module: str | None) -> Gpus:
    nvml.nvmlInit()
    try:
        cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()
        devices = tuple(_gpu(nvml, i) for i in range(nvml.nvmlDeviceGetCount()))
        driver = _text(nvml.nvmlSystemGetDriverVersion())
        return Gpus(bool(devices), True, None, driver, (cuda // 1000, cuda % 1000 // 10), module, devices)
    finally:
        nvml.nvmlShutdown()


def _gpu(nvml: Any, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)

    def ask(name: str, *arguments: Any) -> Any:
        """One NVML question; None where this GPU or driver does not support it."""
        try:
            return getattr(nvml, name)(handle, *arguments)
        except (nvml.NVMLError, AttributeError):
            return None

    reasons = ask("nvmlDeviceGetCurrentClocksEventReasons") or ask("nvmlDeviceGetCurrentClocksThrottleReasons") or 0
    capability = ask("nvmlDeviceGetCudaComputeCapability")
    power, limit = ask("nvmlDeviceGetPowerUsage"), ask("nvmlDeviceGetEnforcedPowerLimit")
    return Gpu(
        index=index,
        name=_text(nvml.nvmlDeviceGetName(handle)),
        capability=None if capability is None else (int(capability[0]), int(capability[1])),
        memory=int(memory.total),
        free=int(memory.free),
        temperature=ask("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU),
        throttling=tuple(name for bit, name in REASONS.items() if reasons & bit),
        ecc_errors=ask("nvmlDeviceGetTotalEccErrors", nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC),
        clock=ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
        clock_max=ask("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_SM),
        power=None if power is None else power / 1000,
        power_limit=None if limit is None else limit / 1000,
        pcie=_pair(ask("nvmlDeviceGetCurrPcieLinkGeneration"), ask("nvmlDeviceGetCurrPcieLinkWidth")),
        pcie_max=_pair(ask("nvmlDeviceGetMaxPcieLinkGeneration"), ask("nvmlDeviceGetMaxPcieLinkWidth")),
        processes=tuple(
            _process(nvml, p) for p in ask("nvmlDeviceGetComputeRunningProcesses") or () if p.pid != os.getpid()
        ),
    )


def _process(nvml: Any, process: Any) -> Process:
    try:
        name = _text(nvml.nvmlSystemGetProcessName(process.pid))
    except nvml.NVMLError:
        name = "?"
    return Process(process.pid, name, process.usedGpuMemory)


def _pair(generation: int | None, width: int | None) -> tuple[int, int] | None:
    return None if generation is None or width is None else (generation, width)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
