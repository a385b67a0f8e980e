"""The reference run on one GPU: variants of the step, where its time goes, the loop that a user would write, and seeds.

python benchmarks/reference --data DIR [--stages variants,kernels,plain,seeds] [--seeds 5] [--epochs N] [--output DIR]

Writes DIR/reference.json after each stage, and DIR/reference.png with one line for each seed. A stage that fails is told as its
error and does not end the others.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from kernels import ceilings, kernels
from picture import draw
from plain import plain_loop
from variants import VARIANTS, variants

from trainingdoctor.reference import RECIPES, Settings, load_images
from trainingdoctor.reference.data import Images
from trainingdoctor.reference.run import RunResult, deterministic, summary, train_resnet110

RESULTS = Path(__file__).resolve().parent.parent / "results"


def card() -> dict[str, Any]:
    """The card as it is now: driver, clocks, temperature."""
    import pynvml

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    return {
        "name": torch.cuda.get_device_name(0),
        "driver": pynvml.nvmlSystemGetDriverVersion(),
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
        "sm_clock_mhz": pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM),
        "memory_clock_mhz": pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM),
        "temperature_c": pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU),
    }


def seeds(settings: Settings, images: Images, count: int, budget: float) -> dict[str, Any]:
    """`count` runs of the recipe: the summary, and each one's metrics and wall seconds (model, warm-up, evaluations included).

    budget: seconds; a run that would end later, by the longest one so far, is not begun.
    """
    results: list[RunResult] = []
    walls: list[float] = []
    for seed in range(count):
        if sum(walls) + max(walls, default=0.0) > budget:
            break
        started = time.perf_counter()
        results.append(train_resnet110(images, replace(settings, seed=seed), say=print))
        walls.append(round(time.perf_counter() - started, 2))
        print(f"seed {seed}: {results[-1].accuracy:.2f} %, {results[-1].seconds:.1f} s, wall {walls[-1]} s", flush=True)
    runs = [{**asdict(r), "wall": w} for r, w in zip(results, walls, strict=True)]
    return {"settings": settings.to_dict(), "summary": summary(results), "runs": runs}


def main() -> None:
    """Parse, run the stages, write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--stages", default="variants,kernels,plain,seeds")
    parser.add_argument("--variants", default="|".join(VARIANTS), help="names of variants, separated by |")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=math.inf, help="seconds after which no seed is begun")
    parser.add_argument("--epochs", type=int, help="of the seeds; default: the recipe's")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--peak", type=float)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    recipe, started = RECIPES["fast"], time.perf_counter()
    size = arguments.batch_size or recipe.batch_size
    recipe = replace(recipe, peak=arguments.peak or recipe.peak * size / recipe.batch_size)
    images = load_images(arguments.data)
    settings = Settings(
        recipe,
        110,
        arguments.epochs or recipe.epochs,
        size,
        0,
        "cuda:0",
        "bfloat16",
        graph=True,
        compiled=arguments.compile,
    )

    def plain() -> list[dict[str, Any]]:
        with deterministic():
            return [plain_loop(images, "cuda:0", amp=amp) for amp in (False, True)]

    stages: dict[str, Callable[[], Any]] = {
        "variants": lambda: variants(settings, images, arguments.variants.split("|")),
        "kernels": lambda: {"ceilings": ceilings(), **kernels(replace(settings, graph=False, compiled=False), images)},
        "plain": plain,
        "seeds": lambda: seeds(settings, images, arguments.seeds, arguments.budget),
    }
    file = arguments.output / "reference.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    for name in arguments.stages.split(","):
        try:
            found[name] = stages[name]()
        except Exception as error:  # noqa: BLE001  the other stages are still wanted
            found[name] = {"error": f"{type(error).__name__}: {error}"}
        found["card"], found["data"] = card(), images.source
        arguments.output.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=1, default=str) + "\n")
        print(f"{time.perf_counter() - started:6.1f} s  {name}", flush=True)
        if name in ("kernels", "plain") or "error" in found[name]:
            print(json.dumps(found[name], indent=1)[:3000], flush=True)
    if "runs" in found.get("seeds", {}):
        draw(found, arguments.output / "reference.png")


if __name__ == "__main__":
    main()
