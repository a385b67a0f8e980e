"""The GPU: build, driver, architecture, memory, health. Without a GPU each is a plain statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.environment import Environment, Placement

COMPATIBILITY = "NVIDIA CUDA Compatibility guide, minor version compatibility: minimum driver per CUDA major version"
# Minimum Linux driver for any CUDA of the major version (same guide, table of minimum required versions).
DRIVERS = {11: (450, 80, 2), 12: (525, 60, 13), 13: (580, 0, 0)}
GIB = 1 << 30
NONE = "no NVIDIA GPU here"


@check("env.cpu_build_on_gpu_machine", explains=("env.gpu_not_used",))
def cpu_build_on_gpu_machine(environment: Environment) -> Verdicts:
    """A CPU build of torch on a machine with an NVIDIA GPU.

    What it does: looks for GPUs through NVML and device files, and at torch's build.
    Why it costs accuracy: it costs time: ResNet-110 is some hundred times slower on a CPU, so that runs are cut short.
    Remedy: install the CUDA build.
    Thresholds: none.
    Measured: no measurement yet.
    """
    t, gpus = environment.torch, environment.gpus
    if gpus.present and t is not None and t.cuda is None and t.hip is None:
        name = gpus.devices[0].name if gpus.devices else "an NVIDIA GPU"
        yield critical(
            f"{name} is here, and torch {t.version} is a CPU build.",
            "Choose the CUDA build on pytorch.org/get-started",
            where="torch",
        )
    else:
        yield Note("torch's build fits the machine" if gpus.present else NONE)


@check("env.gpu_not_used")
def gpu_not_used(environment: Environment, placement: Placement) -> Verdicts:
    """A GPU is there, and the training runs on the CPU.

    What it does: compares the model's device with what torch can use.
    Why it costs accuracy: it costs time.
    Remedy: model.to("cuda"), before the optimizer is created.
    Thresholds: none.
    Measured: no measurement yet.
    """
    t = environment.torch
    usable = t is not None and t.cuda_available
    if usable and placement.device is not None and placement.device.startswith("cpu"):
        yield warning(
            "A GPU can be used, and the model is on the CPU.",
            'model.to("cuda") before the optimizer is created',
            where="device",
        )
    elif t is not None and t.cuda and environment.gpus.present and not usable and t.cuda_error:
        yield critical(
            f"torch cannot use the GPU: {t.cuda_error}.",
            "See env.driver_too_old and CUDA_VISIBLE_DEVICES.",
            where="torch.cuda",
        )
    else:
        mps = "; MPS is available" if t is not None and t.mps_available else ""
        yield Note(f"{'the GPU can be used' if usable else NONE}{mps}")


@check("env.driver_too_old", explains=("env.gpu_not_used",), references=(COMPATIBILITY,))
def driver_too_old(environment: Environment) -> Verdicts:
    """The driver is too old for the CUDA that torch was built with.

    What it does: compares the driver's version with the oldest that runs this CUDA major version.
    Why it costs accuracy: torch falls back to the CPU, or stops.
    Remedy: a newer driver, or a torch built for an older CUDA.
    Thresholds: CUDA 11 needs 450.80.02, 12 needs 525.60.13, 13 needs 580.
    Measured: no measurement; it is an error.
    """
    t, gpus = environment.torch, environment.gpus
    if gpus.driver is None or t is None or t.cuda is None:
        yield Note(f"driver {gpus.driver}" if gpus.driver else f"{NONE}: {gpus.error}" if gpus.present else NONE)
        return
    major = int(t.cuda.split(".")[0])
    needed = DRIVERS.get(major)
    if needed is not None and _version(gpus.driver) < needed:
        wanted = ".".join(map(str, needed))
        yield critical(
            f"torch is built for CUDA {t.cuda}, which needs driver {wanted} or newer; the driver is {gpus.driver}.",
            f"Install driver {wanted} or newer, or a torch that is built for CUDA {gpus.cuda[0] if gpus.cuda else major - 1}.",
            where="driver",
            driver=gpus.driver,
            cuda=t.cuda,
        )
    else:
        yield Note(f"driver {gpus.driver} runs CUDA {t.cuda} (expected {'.'.join(map(str, needed or ()))} or newer)")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(p) for p in text.split(".") if p.isdigit())


@check("env.nvml_mismatch", explains=("env.gpu_not_used", "env.driver_too_old"))
def nvml_mismatch(environment: Environment) -> Verdicts:
    """The driver's library and its kernel module have different versions.

    What it does: asks NVML, and reads the kernel module's version.
    Why it costs accuracy: no new process can use the GPU. It happens when the driver is updated without a reboot.
    Remedy: reboot.
    Thresholds: equality.
    Measured: no measurement; it is an error.
    """
    g = environment.gpus
    mismatch = g.error is not None and "mismatch" in g.error.lower()
    if mismatch or (g.driver and g.kernel_module and g.driver != g.kernel_module):
        yield critical(
            f"Kernel module {g.kernel_module}, library {g.driver or g.error}.", "sudo reboot", where="driver"
        )
    elif g.present and not g.binding:
        yield info(
            "The GPU's state cannot be read: nvidia-ml-py is not installed.",
            "pip install nvidia-ml-py",
            where="nvidia-ml-py",
        )
    elif g.present and g.error:
        yield warning(f"NVML cannot be asked: {g.error}.", "nvidia-smi", where="driver")
    else:
        yield Note(f"kernel module and library {g.driver}" if g.driver else NONE)


@check("env.architecture_unsupported", explains=("env.gpu_not_used",))
def architecture_unsupported(environment: Environment) -> Verdicts:
    """torch has no code for this GPU.

    What it does: compares the GPU's compute capability with the architectures in the build. Code of the same major
    version and a lower minor runs; PTX of a lower version is compiled at the first use.
    Why it costs accuracy: kernels fail, or start after minutes.
    Remedy: a torch built for the GPU.
    Thresholds: the rule above.
    Measured: no measurement; it is an error.
    """
    t = environment.torch
    names = t.architectures if t is not None else ()
    unsupported = [g for g in environment.gpus.devices if names and g.capability and not _runs(g.capability, names)]
    if unsupported:
        g = unsupported[0]
        yield critical(
            f"{g.name} has compute capability {g.capability}, and torch is built for {', '.join(names)}.",
            "Install a torch whose CUDA build holds this architecture (a newer one for a new GPU, an older one for an old GPU).",
            where="torch.cuda.get_arch_list()",
        )
    else:
        yield Note(f"built for {', '.join(names)}" if names else NONE)


def _runs(capability: tuple[int, int], names: tuple[str, ...]) -> bool:
    for name in names:
        kind, _, digits = name.partition("_")
        number = "".join(c for c in digits if c.isdigit())
        if not number:
            continue
        built = int(number[:-1]), int(number[-1])
        if (kind == "sm" and built[0] == capability[0] and built[1] <= capability[1]) or (
            kind == "compute" and built <= capability
        ):
            return True
    return False


@check("env.memory")
def memory(environment: Environment, *, least: float = 2.0) -> Verdicts:
    """Little free GPU memory.

    What it does: asks NVML.
    Why it costs accuracy: batches must shrink, or the run stops.
    Remedy: end the process that holds the memory.
    Thresholds: under 2 GiB free.
    Measured: no measurement yet.
    """
    devices = environment.gpus.devices
    full = [g for g in devices if g.free < least * GIB]
    for g in full:
        yield warning(
            f"GPU {g.index} has {g.free / GIB:.1f} of {g.memory / GIB:.0f} GiB free.",
            "nvidia-smi  # and end what holds it",
            where=f"cuda:{g.index}",
        )
    if not full:
        yield Note(
            ", ".join(
                f"GPU {g.index} {g.name}: {g.free / GIB:.0f} of {g.memory / GIB:.0f} GiB free (expected {least:g} or more)"
                for g in devices
            )
            or NONE
        )


@check("env.foreign_process")
def foreign_process(environment: Environment, *, most: float = 1.0) -> Verdicts:
    """Other processes hold GPU memory.

    What it does: lists them through NVML.
    Why it costs accuracy: they take memory and time.
    Remedy: end them, or choose another GPU.
    Thresholds: more than 1 GiB together; an info.
    Measured: no measurement yet.
    """
    said = False
    for g in environment.gpus.devices:
        held = sum(p.memory or 0 for p in g.processes)
        if held > most * GIB:
            said = True
            names = ", ".join(f"{p.name} (pid {p.pid})" for p in g.processes[:3])
            yield info(
                f"GPU {g.index}: {held / GIB:.1f} GiB are held by {names}.",
                f"CUDA_VISIBLE_DEVICES, or kill {g.processes[0].pid}",
                where=f"cuda:{g.index}",
            )
    if not said:
        yield Note("no other process" if environment.gpus.devices else NONE)


@check("env.throttling")
def throttling(environment: Environment, *, hot: int = 87) -> Verdicts:
    """The GPU slows itself down.

    What it does: reads clocks, temperature and the reasons for lower clocks.
    Why it costs accuracy: it costs time.
    Remedy: cooling; a higher power limit.
    Thresholds: a thermal or hardware reason, or 87 C (where NVIDIA's data-centre cards begin to slow down); a power
    cap under load is normal.
    Measured: no measurement yet.
    """
    said = False
    for g in environment.gpus.devices:
        serious = [r for r in g.throttling if r != "power cap"]
        if serious or (g.temperature or 0) >= hot:
            said = True
            yield warning(
                f"GPU {g.index}: {', '.join(serious) or 'hot'}, {g.temperature} C, {g.clock} of {g.clock_max} MHz.",
                "Check fans and airflow; nvidia-smi -q -d PERFORMANCE",
                where=f"cuda:{g.index}",
            )
    if not said:
        yield Note(
            ", ".join(
                f"GPU {g.index}: {g.temperature} C (expected under {hot}), {g.clock} of {g.clock_max} MHz"
                for g in environment.gpus.devices
            )
            or NONE
        )


@check("env.ecc", explains=("env.arithmetic", "loss.nonfinite", "loop.nonfinite"))
def ecc(environment: Environment) -> Verdicts:
    """Memory errors that could not be corrected.

    What it does: reads the ECC counter since boot.
    Why it costs accuracy: wrong numbers.
    Remedy: reset or exchange the GPU.
    Thresholds: one.
    Measured: no measurement; it is an error.
    """
    bad = [g for g in environment.gpus.devices if g.ecc_errors]
    for g in bad:
        yield critical(
            f"GPU {g.index} counts {g.ecc_errors} uncorrected memory errors since boot.",
            "nvidia-smi -q -d ECC; exchange the card",
            where=f"cuda:{g.index}",
        )
    if not bad:
        yield Note("0 uncorrected memory errors (expected 0)" if environment.gpus.devices else NONE)


@check("env.pcie")
def pcie(environment: Environment) -> Verdicts:
    """The GPU's link is narrower than it could be.

    What it does: compares the PCIe width now with the largest. The generation drops when idle and is not judged.
    Why it costs accuracy: it costs time where data comes from the host.
    Remedy: another slot; reseat the card.
    Thresholds: under half of the width; an info.
    Measured: no measurement yet.
    """
    narrow = [g for g in environment.gpus.devices if g.pcie and g.pcie_max and g.pcie[1] * 2 < g.pcie_max[1]]
    for g in narrow:
        assert g.pcie is not None
        assert g.pcie_max is not None
        yield info(
            f"GPU {g.index} runs on {g.pcie[1]} PCIe lanes of {g.pcie_max[1]}.",
            "Use a full slot",
            where=f"cuda:{g.index}",
        )
    if not narrow:
        yield Note(
            ", ".join(f"GPU {g.index}: PCIe {g.pcie[0]} x{g.pcie[1]}" for g in environment.gpus.devices if g.pcie)
            or NONE
        )


CHECKS = (
    cpu_build_on_gpu_machine,
    gpu_not_used,
    driver_too_old,
    nvml_mismatch,
    architecture_unsupported,
    memory,
    foreign_process,
    throttling,
    ecc,
    pcie,
)
