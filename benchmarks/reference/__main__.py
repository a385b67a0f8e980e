"""The reference run on one GPU: variants of the step, where its time goes, the loop that a user would write, seeds, recipes.

python benchmarks/reference --data DIR [--stages variants,kernels,plain,seeds,recipes] [--seeds 5] [--epochs N] [--output DIR]

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
from recipes import CANDIDATES, candidates, compared
from variants import VARIANTS, variants

from trainingdoctor.reference import RECIPES, Settings, load_images
from trainingdoctor.reference.beside import side_by_side
from trainingdoctor.reference.data import Images
from trainingdoctor.reference.run import RunResult, deterministic, result_of, summary, train_resnet110
from trainingdoctor.reference.train import EpochMetrics, Run

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


def seeds(settings: Settings, images: Images, count: int, budget: float, parallel: int) -> dict[str, Any]:
    """`count` runs of the recipe: the summary, and each one's metrics and wall seconds (model, warm-up, evaluations included).

    budget: seconds; runs that would end later are not begun.  parallel: of the runs after the first, how many at a time; their
    seconds are not those of a run that has the card for itself.
    """
    started = time.perf_counter()
    runs = [alone(settings, images)]
    longest = time.perf_counter() - started
    for first in range(1, count, parallel):
        if time.perf_counter() - started + longest > budget:
            break
        some = [replace(settings, seed=seed) for seed in range(first, min(first + parallel, count))]
        begun = time.perf_counter()
        runs += together(some, images) if parallel > 1 else [alone(some[0], images)]
        longest = max(longest, time.perf_counter() - begun)
    results = [result for result, _ in runs]
    rows = [{**asdict(result), **about} for result, about in runs]
    timed = summary([result for result, about in runs if about["beside"] == 0])
    whole = {**summary(results), **{key: timed[key] for key in ("seconds", "seconds_per_epoch")}}
    return {"settings": settings.to_dict(), "summary": whole, "runs": rows}


def alone(settings: Settings, images: Images) -> tuple[RunResult, dict[str, Any]]:
    """One run that has the card for itself."""
    started = time.perf_counter()
    torch.cuda.reset_peak_memory_stats()
    result = train_resnet110(images, settings, say=print)
    about = {
        "wall": round(time.perf_counter() - started, 2),
        "beside": 0,
        "gigabytes": round(torch.cuda.max_memory_allocated() / 1e9, 2),
    }
    print(f"seed {settings.seed}: {result.accuracy:.2f} %, {result.seconds:.1f} s, {about}", flush=True)
    return result, about


def together(some: list[Settings], images: Images) -> list[tuple[RunResult, dict[str, Any]]]:
    """Runs that share the card, all captured before any trains."""
    with deterministic():
        ready = [Run(settings, images) for settings in some]
        for run in ready:
            run.warm_up(print)
        walls = side_by_side(ready, print, _tell)
    results = [result_of(run.metrics, run.settings.seed, run.model, images.source) for run in ready]
    return [(r, {"wall": round(w, 2), "beside": len(ready) - 1}) for r, w in zip(results, walls, strict=True)]


def _tell(run: Run, metrics: EpochMetrics) -> None:
    if metrics.epoch % 12 == 0:
        print(f"seed {run.settings.seed}: epoch {metrics.epoch}, {metrics.test_accuracy:.2f} %", flush=True)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--stages", default="variants,kernels,plain,seeds")
    parser.add_argument("--variants", default="|".join(VARIANTS), help="names of variants, separated by |")
    parser.add_argument("--recipes", default="|".join(CANDIDATES), help="of the stage `recipes`, separated by |")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--parallel", type=int, default=1, help="of the seeds after the first, how many at a time")
    parser.add_argument("--budget", type=float, default=math.inf, help="seconds after which no seed is begun")
    parser.add_argument("--epochs", type=int, help="of the seeds; default: the recipe's")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--peak", type=float)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    return parser.parse_args()


def main() -> None:
    """Run the stages, write after each."""
    arguments = parsed()
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
        fused=not arguments.compile,
    )

    def plain() -> list[dict[str, Any]]:
        with deterministic():
            return [plain_loop(images, "cuda:0", amp=amp) for amp in (False, True)]

    stages: dict[str, Callable[[], Any]] = {
        "variants": lambda: variants(settings, images, arguments.variants.split("|")),
        "kernels": lambda: {"ceilings": ceilings(), **kernels(replace(settings, graph=False), images)},
        "plain": plain,
        "recipes": lambda: compared(
            candidates(settings, arguments.recipes.split("|")),
            arguments.parallel,
            lambda some: together(some, images),
        ),
        "seeds": lambda: seeds(settings, images, arguments.seeds, arguments.budget, arguments.parallel),
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
