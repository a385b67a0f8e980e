"""Seconds per epoch of the reference run's own step in its variants, on one card in one process."""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from typing import Any

import torch

from trainingdoctor.reference import Settings
from trainingdoctor.reference.data import Images
from trainingdoctor.reference.run import deterministic
from trainingdoctor.reference.train import Run

# name: changes of the settings, and whether cuDNN may take algorithms that are not deterministic.
VARIANTS: dict[str, tuple[dict[str, Any], bool]] = {
    "eager": ({"graph": False, "fused": False}, False),
    "graph": ({"fused": False}, False),
    "graph, float32": ({"fused": False, "precision": "float32"}, False),
    "graph, compiled": ({"fused": False, "compiled": True}, False),
    "graph, fused": ({}, False),
    "graph, fused, batch 256": ({"batch_size": 256}, False),
    "graph, fused, batch 1024": ({"batch_size": 1024}, False),
    "fused": ({"graph": False}, False),
}


def timed(settings: Settings, images: Images, free: bool, epochs: int) -> dict[str, Any]:
    """Warm-up and the median epoch, in seconds; the peak of memory in GB."""
    torch.cuda.reset_peak_memory_stats()
    said: list[str] = []
    with deterministic(not free):
        run = Run(replace(settings, epochs=epochs), images)
        run.warm_up(said.append)
        metrics = list(run.epochs(said.append))
    seconds = sorted(m.seconds for m in metrics)
    return {
        "warm_up": round(run.warm_up_seconds, 2),
        "epoch": round(seconds[len(seconds) // 2], 3),
        "best": round(seconds[0], 3),
        "loss": round(metrics[-1].loss, 4),
        "gigabytes": round(torch.cuda.max_memory_allocated() / 1e9, 2),
        "said": said,
    }


def variants(settings: Settings, images: Images, names: list[str], epochs: int = 3) -> dict[str, Any]:
    """Those named; one that fails is told as its error."""
    found: dict[str, Any] = {}
    for name in names:
        changes, free = VARIANTS[name]
        started = time.perf_counter()
        try:
            found[name] = timed(replace(settings, **changes), images, free, epochs)
        except Exception as error:  # noqa: BLE001  a variant that this card or build cannot run must not end the others
            found[name] = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
        gc.collect()
        torch.cuda.empty_cache()
        found[name]["wall"] = round(time.perf_counter() - started, 1)
        print(name, found[name], flush=True)
    return found
