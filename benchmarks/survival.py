"""Kill a reference run and a plan of `verify` with SIGKILL at random moments: both must end with the figures of one that was not.

python benchmarks/survival.py [--kills 50]: writes benchmarks/results/survival.json and .md. Each victim is a process that
is forked after torch was imported, so that the kills fall into the training and not into imports.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainingdoctor.errors import UserError
from trainingdoctor.reference import RECIPES, Settings, generated_images, train_resnet110
from trainingdoctor.reference.checkpoint import load_checkpoint
from trainingdoctor.runs import Runs
from trainingdoctor.verify.plan import Variant
from trainingdoctor.verify.task import Outcome, Size, Task, run_task
from trainingdoctor.verify.verify import Verifier

RESULTS = Path(__file__).parent / "results"
TINY = Settings(RECIPES["fast"], depth=8, epochs=4, batch_size=16, seed=1, device="cpu", precision="float32")
CONFIG = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

def data(seed):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (600,), generator=draw)
    return TensorDataset(torch.randn(600, 8, generator=draw) + 1.5 * nn.functional.one_hot(labels, 8), labels)

train_loader = DataLoader(data(0), batch_size=32, shuffle=True)
val_loader = DataLoader(data(1), batch_size=100)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
epochs = 20
"""


@dataclass(frozen=True)
class Survival:
    """What became of one kind of run. kills: that hit it while it ran.  longest: seconds of the run that was not killed."""

    name: str
    kills: int
    identical: bool
    broken_files: int
    seconds: float


def reference(folder: Path) -> list[tuple[float, ...]]:
    """The reference run, tiny, resumed where it was; its figures by epoch."""
    torch.set_num_threads(1)
    result = train_resnet110(generated_images(64, 32), TINY, output=folder, resume=True)
    return [(m.epoch, m.loss, m.train_accuracy, m.test_accuracy) for m in result.metrics]


def plan(folder: Path) -> list[tuple[Any, ...]]:
    """A plan of four trainings before and after a change, resumed where it was; the accuracies."""
    torch.set_num_threads(1)
    config = folder / "survival_config.py"
    if not config.exists():
        config.write_text(CONFIG)
    size = Size(samples=400, epochs=4, evaluation=200, longest=20)
    verifier = Verifier(Task("", config, 0, size), size, 600.0, 2, here, runs=Runs.beside(config))
    slow = {config: CONFIG.replace("lr=0.1", "lr=1e-4")}
    found = verifier.verify([Variant("before", slow), Variant("after")])
    return sorted((o.variant, o.seed, o.accuracy) for o in found.outcomes)


def here(tasks: Sequence[Task]) -> Iterator[Outcome]:
    """In the process that is to be killed."""
    return map(run_task, tasks)


def broken_files(folder: Path) -> int:
    """Files that a reader could not read after a kill: 0 where all writes are atomic."""
    bad = 0
    for file in folder.rglob("checkpoint.pt"):
        try:
            load_checkpoint(file, "another run's")
        except UserError as error:
            bad += "other settings" not in str(error)
    for file in folder.rglob("*.json"):
        try:
            json.loads(file.read_text())
        except ValueError:
            bad += 1
    return bad


def ended(job: Callable[[Path], Any], folder: Path, after: float | None) -> tuple[bool, Any]:
    """Run the job in a forked process, killed `after` seconds if it is not over; whether it was killed, and what it gave."""
    answer, mine = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=lambda: mine.send(job(folder)))
    child.start()
    mine.close()
    child.join(after)
    killed = child.is_alive()
    if killed and child.pid is not None:
        os.kill(child.pid, signal.SIGKILL)
    child.join()
    return killed, None if killed or not answer.poll() else answer.recv()


def survive(name: str, job: Callable[[Path], Any], kills: int, draw: random.Random) -> Survival:
    """Kill the job `kills` times, starting over where it got to its end, and compare each end with that of an unhurt run."""
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        unhurt = Path(place) / "unhurt"
        unhurt.mkdir()
        _, wanted = ended(job, unhurt, None)
        seconds = time.perf_counter() - began
        hit, broken, ends = 0, 0, []
        for attempt in range(100 * kills):
            folder = Path(place) / f"cut{len(ends)}"
            folder.mkdir(exist_ok=True)
            last = hit >= kills or attempt == 100 * kills - 1
            killed, figures = ended(job, folder, None if last else draw.uniform(0, seconds))
            hit += killed
            broken += broken_files(folder)
            if not killed:
                ends.append(figures)
            if last:
                break
    identical = wanted is not None and all(end == wanted for end in ends)
    return Survival(name, hit, identical, broken, seconds)


def table(found: Sequence[Survival]) -> str:
    """As Markdown."""
    rows = "".join(
        f"| {s.name} | {s.kills} | {'yes' if s.identical else 'NO'} | {s.broken_files} | {s.seconds:.1f} |\n"
        for s in found
    )
    return (
        "# Killed at random moments\n\nMade by `python benchmarks/survival.py`: each run is killed by SIGKILL at moments drawn evenly over the seconds "
        "that an unhurt one takes, and resumed, until it has been hit so many times; every end is compared with the unhurt one's.\n\n"
        "| run | kills | all ends identical | unreadable files | seconds unhurt |\n|---|---|---|---|---|\n" + rows
    )


def main() -> int:
    """Both kinds; 1 where an end differs or a file was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    kills = parser.parse_args().kills
    draw = random.Random(0)
    jobs = (
        ("reference run, ResNet-8, 4 epochs on 64 generated images", reference),
        ("verify, 2 variants with 2 seeds", plan),
    )
    found = []
    for name, job in jobs:
        found.append(survive(name, job, kills, draw))
        (RESULTS / "survival.json").write_text(json.dumps([vars(s) for s in found], indent=2) + "\n")
        (RESULTS / "survival.md").write_text(table(found))
    print(table(found))
    return 0 if all(s.identical and not s.broken_files for s in found) else 1


if __name__ == "__main__":
    sys.exit(main())
