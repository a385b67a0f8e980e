"""The kernels on a GPU: compiled by NVRTC for the card that is there, and launched on PyTorch's current stream.

cuda-bindings and NVRTC come with PyTorch's CUDA builds; no compiler need be installed.
"""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor

from trainingdoctor.reference.fused.tile import CHANNELS

Argument = Tensor | int | float
KINDS = range(3)
# In the order in which they need one another.
FILES = ("intrinsics", "tile", "statistics", "convolve", "kernel_gradient", "elementwise")


def source() -> bytes:
    """All kernels as one source."""
    folder = files(__package__).joinpath("kernels")
    return b"\n".join(folder.joinpath(f"{name}.cu").read_bytes() for name in FILES)


class CudaKernels:
    """The kernels of one device, by name and template arguments. multiprocessors: that the device has.  shared_memory: bytes.

    One thread at a time may capture a graph of them: what runs beside does so on one stream for each device.
    """

    def __init__(self, device: torch.device) -> None:
        """Compile and load them. Raises RuntimeError in the driver's or NVRTC's own words, ImportError without cuda-bindings."""
        index = torch.cuda.current_device() if device.index is None else device.index
        properties = torch.cuda.get_device_properties(index)
        self._device = torch.device("cuda", index)
        self.multiprocessors: int = properties.multi_processor_count
        self.shared_memory = _shared_memory(index)
        self._attributes = _early_start(properties.major)
        self._side = torch.cuda.Stream(self._device)
        self._functions = _functions(index, f"sm_{properties.major}{properties.minor}")
        self._try()

    def _try(self) -> None:
        """One small launch: what this machine cannot do is to be known before the training."""
        x, statistics = (
            torch.zeros(256, 16, dtype=torch.bfloat16, device=self._device),
            torch.zeros(5, 16, device=self._device),
        )
        self.launch("normalize<16, false>", (1, 1), 256, 0, [x, x, x, 512, statistics], early=False)
        torch.cuda.synchronize(self._device)

    def launch(
        self, name: str, grid: tuple[int, int], threads: int, shared: int, arguments: Sequence[Argument], early: bool
    ) -> None:
        """One kernel, `name` being an instance of a template. early: see `_early_start`. Raises RuntimeError in the driver's words."""
        driver = _driver()
        values, types = zip(*(_converted(a) for a in arguments), strict=True)
        config = driver.CUlaunchConfig()
        config.gridDimX, config.gridDimY, config.gridDimZ = *grid, 1
        config.blockDimX, config.blockDimY, config.blockDimZ = threads, 1, 1
        config.sharedMemBytes = shared
        config.hStream = torch.cuda.current_stream(self._device).cuda_stream
        attributes = self._attributes if early else []
        config.attrs, config.numAttrs = attributes, len(attributes)
        _checked(driver.cuLaunchKernelEx(config, self._functions[name], (values, types), 0))

    @contextmanager
    def beside(self) -> Iterator[None]:
        """What is launched in here may run beside what is launched next; what it uses must live until `join`."""
        self._side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._side):
            yield

    def join(self) -> None:
        """Let what comes now wait for all that was launched beside."""
        torch.cuda.current_stream(self._device).wait_stream(self._side)


def _early_start(major: int) -> list[Any]:
    """From Hopper on: a kernel may start while the one before it ends (programmatic dependent launch); they wait for it themselves."""
    if major < 9:
        return []
    driver = _driver()
    attribute = driver.CUlaunchAttribute()
    attribute.id = driver.CUlaunchAttributeID.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
    attribute.value.programmaticStreamSerializationAllowed = 1
    return [attribute]


def _shared_memory(index: int) -> int:
    """Bytes that a block can have when it asks for them. Of the driver: PyTorch tells it from 2.7 on."""
    driver = _driver()
    device = _checked(driver.cuDeviceGet(index))
    wanted = driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
    return int(_checked(driver.cuDeviceGetAttribute(wanted, device)))


def _converted(argument: Argument) -> tuple[Any, Any]:
    if isinstance(argument, Tensor):
        return argument.data_ptr(), ctypes.c_void_p
    return argument, ctypes.c_int if isinstance(argument, int) else ctypes.c_float


def instances() -> list[str]:
    """All that are launched, by name."""
    names = ["kernel_gradient<{c}>", "statistics_of<{c}>", "normalize<{c}, true>", "normalize<{c}, false>"]
    names += ["normalize_backward<{c}>", "relu_backward<{c}>", *(f"convolve<{{c}}, {kind}>" for kind in KINDS)]
    return [name.format(c=c) for name in names for c in CHANNELS]


@cache
def _functions(index: int, architecture: str) -> dict[str, Any]:
    driver = _driver()
    with torch.cuda.device(index):
        torch.cuda.synchronize()
        binary, lowered = _compiled(architecture)
        module = _checked(driver.cuModuleLoadData(binary))
        functions = {name: _checked(driver.cuModuleGetFunction(module, symbol)) for name, symbol in lowered.items()}
        most = _shared_memory(index)
        attribute = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        for function in functions.values():
            _checked(driver.cuFuncSetAttribute(function, attribute, most))
    return functions


@cache
def _compiled(architecture: str) -> tuple[bytes, dict[str, bytes]]:
    """Machine code, and the symbol of each instance."""
    from cuda.bindings import nvrtc

    program = _checked(nvrtc.nvrtcCreateProgram(source(), b"kernels.cu", 0, [], []))
    for name in instances():
        _checked(nvrtc.nvrtcAddNameExpression(program, name.encode()))
    options = [f"--gpu-architecture={architecture}".encode(), b"--std=c++17", b"--use_fast_math"]
    (error,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        log = b" " * _checked(nvrtc.nvrtcGetProgramLogSize(program))
        nvrtc.nvrtcGetProgramLog(program, log)
        raise RuntimeError(f"NVRTC: {log.decode(errors='replace').strip(chr(0))}")
    binary = b" " * _checked(nvrtc.nvrtcGetCUBINSize(program))
    _checked(nvrtc.nvrtcGetCUBIN(program, binary))
    lowered = {name: _checked(nvrtc.nvrtcGetLoweredName(program, name.encode())) for name in instances()}
    nvrtc.nvrtcDestroyProgram(program)
    return binary, lowered


@cache
def _driver() -> Any:
    from cuda.bindings import driver

    return driver


def _checked(outcome: tuple[Any, ...]) -> Any:
    """What a call of the bindings gives beside its status. Raises RuntimeError where that is none of success."""
    error, *values = outcome
    if int(error):
        raise RuntimeError(f"CUDA: {error.name}" + (": out of memory" if "OUT_OF_MEMORY" in error.name else ""))
    return values[0] if values else None
