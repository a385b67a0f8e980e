"""The fused kernels on a CPU, compiled by the C++ compiler that is there."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from torch import Tensor

from trainingdoctor.reference.fused.cuda import source

COMPILER = shutil.which("c++") or shutil.which("g++")
SOURCE = Path(__file__).with_name("emulated.cpp")


class EmulatedKernels:
    """As CudaKernels. Few multiprocessors, so that blocks take more than a tile."""

    multiprocessors, shared_memory = 3, 227 * 1024

    def __init__(self, folder: Path) -> None:
        library, kernels = folder / "emulated.so", folder / "kernels.cu"
        kernels.write_bytes(source())
        assert COMPILER is not None
        command = [COMPILER, "-std=c++17", "-O2", "-shared", "-fPIC", f'-DSOURCE="{kernels}"', str(SOURCE), "-o"]
        subprocess.run([*command, str(library)], check=True)
        self.library = ctypes.CDLL(str(library))

    def beside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def join(self) -> None:
        pass

    def launch(
        self,
        name: str,
        grid: tuple[int, int],
        threads: int,
        shared: int,
        arguments: Sequence[Tensor | int | float],
        early: bool,
    ) -> None:
        """`name` as `convolve<16, 0>`."""
        kernel, _, template = name.removesuffix(">").partition("<")
        numbers = [{"true": "1", "false": "0"}.get(n, n) for n in template.split(", ")]
        call = getattr(self.library, f"emulated_{kernel}")
        call(*map(int, numbers), grid[0], *(_converted(a) for a in arguments))


def _converted(argument: Tensor | int | float) -> ctypes.c_void_p | ctypes.c_int | ctypes.c_float:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    return ctypes.c_int(argument) if isinstance(argument, int) else ctypes.c_float(argument)
