"""Where a step's time goes: kernels by kind, from PyTorch's profiler, and the two ceilings of the card."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from trainingdoctor.reference import Settings
from trainingdoctor.reference.augmentation import Draws
from trainingdoctor.reference.data import Images
from trainingdoctor.reference.run import deterministic
from trainingdoctor.reference.train import Run

# By what their names hold, the first that fits.
KINDS = {
    "fused": ("convolve<", "kernel_gradient<", "normalize<", "normalize_backward<", "relu_backward<", "statistics_of<"),
    "convolution": ("conv", "xmma", "cutlass", "gemm", "wgrad", "dgrad", "implicit", "cudnn"),
    "normalization": ("batch_norm", "bn_", "batchnorm", "welford"),
    "elementwise": ("elementwise", "relu", "threshold", "add_", "copy", "pad"),
    "reduction": ("reduce", "sum"),
}


def kernels(settings: Settings, images: Images) -> dict[str, Any]:
    """Microseconds on the device of one eager step, by kind of kernel and for the ten dearest."""
    with deterministic():
        run = Run(settings, images)
        run.warm_up(print)
        draws = Draws.of_epoch(torch.randperm(len(images.train_x)), run.generator).to(run.device)
        batch = next(draws.split(settings.batch_size))
        for _ in range(5):
            run.step(batch)
        torch.cuda.synchronize()
        with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiled:
            run.step(batch)
            run.optimizer.step()
            torch.cuda.synchronize()
    device = [
        e
        for e in profiled.key_averages()
        if e.self_device_time_total > 0 and not e.key.startswith(("aten::", "Optimizer."))
    ]
    on_card = [e for e in device if e.self_cpu_time_total == 0]
    by_kind: dict[str, float] = {}
    for event in on_card:
        kind = next((k for k, words in KINDS.items() if any(w in event.key.lower() for w in words)), "other")
        by_kind[kind] = by_kind.get(kind, 0.0) + event.self_device_time_total
    dearest = sorted(on_card, key=lambda e: -e.self_device_time_total)[:10]
    return {
        "launches": sum(e.count for e in on_card),
        "microseconds": {k: round(v) for k, v in sorted(by_kind.items(), key=lambda item: -item[1])},
        "dearest": [[e.key[:90], e.count, round(e.self_device_time_total)] for e in dearest],
    }


def ceilings() -> dict[str, float]:
    """TB/s of a copy on the device (read and written), TFLOP/s of a bfloat16 matrix product of random numbers."""
    a = torch.randn(1 << 30, device="cuda", dtype=torch.bfloat16)
    b = torch.empty_like(a)
    copy = _median(lambda: b.copy_(a))
    m = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    product = _median(lambda: m @ m)
    return {"copy_TB_s": round(4 * a.numel() / copy / 1e12, 2), "bf16_TFLOP_s": round(2 * 8192**3 / product / 1e12, 1)}


def _median(act: Any, repeats: int = 9) -> float:
    times = []
    for _ in range(repeats + 3):
        torch.cuda.synchronize()
        started = time.perf_counter()
        act()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return float(sorted(times[3:])[repeats // 2])
