"""Every fixable code: the fix takes its finding away, and a second run changes nothing.

The configs are those of the bench of fixes, on few generated images, each diagnosed for its own code alone.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainingdoctor.registry import load_registry
from trainingdoctor.remedy.cure import Cure, Physician
from trainingdoctor.remedy.examine import Subject, begins, examine_config
from trainingdoctor.remedy.fix import load_fixes
from trainingdoctor.settings import Settings

BENCH = Path(__file__).resolve().parents[2] / "benchmarks" / "fixes"
sys.path.insert(0, str(BENCH))
try:
    import faults
    import templates
finally:
    sys.path.remove(str(BENCH))

# Ten classes of coloured noise in the place of CIFAR-10: enough for what does not ask what images show.
CIFAR = """\
import numpy as np
from PIL import Image
from torch.utils.data import Dataset

class Noise(Dataset):
    classes = tuple(map(str, range(10)))

    def __init__(self, train, transform):
        self.transform, self.offset = transform, 0 if train else 10**6
        self.targets = [i % 10 for i in range(2560)]

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        random = np.random.default_rng(self.offset + index)
        colour = np.array([40 + 18 * self.targets[index], 120, 200 - 15 * self.targets[index]])
        pixels = colour + random.normal(0, 60, (32, 32, 3))
        return self.transform(Image.fromarray(pixels.clip(0, 255).astype(np.uint8))), self.targets[index]

def cifar10(train_transform, test_transform):
    return Noise(True, train_transform), Noise(False, test_transform)
"""
# Decided by trial trainings that take a minute, or by data that is not here; the bench has them.
SLOW = ("lr.too_low", "lr.too_high")
# One of each code; the bench has the others.
CASES = list({f.codes[0]: f for f in faults.SINGLE if f.fixable and f.codes[0] not in SLOW}.values())


def subject(folder: Path, style: str, fault: Any) -> Subject:
    for name, text in {**templates.files(style, fault.changes), "cifar.py": CIFAR}.items():
        # 20 batches an epoch, where CIFAR-10 has 391.
        (folder / name).write_text(text.replace("60 * 391", "60 * 20"))
    settings = Settings(select=fault.codes, quick=True, time_limit=100.0)
    return Subject(folder / "config.py", settings, load_registry(), load_fixes())


def cured(case: Subject) -> Cure:
    return Physician(lambda texts: examine_config(case, texts), lambda texts: begins(case, texts)).cure()


@pytest.fixture(autouse=True)
def path_as_before() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.mark.parametrize("fault", CASES, ids=lambda f: f.name)
def test_the_fix_cures_and_a_second_run_changes_nothing(fault: Any, tmp_path: Path) -> None:
    style = templates.STYLES[CASES.index(fault) % 3]
    case = subject(tmp_path, style, fault)
    cure = cured(case)
    assert cure.before.root_causes == fault.codes
    assert not cure.after.root_causes, cure.left
    assert cure.cured == fault.codes
    cure.patch.write()
    again = cured(case)
    assert not again.before.root_causes
    assert not again.patch.after


def test_a_healthy_config_is_left_alone(tmp_path: Path) -> None:
    case = subject(tmp_path, "function", replace(faults.HEALTHY, codes=()))
    quick = replace(case, settings=Settings(quick=True, ignore={"data": "noise", "labels": "noise"}, time_limit=100.0))
    assert not cured(quick).patch.after


def test_every_fix_is_tried_here_or_on_the_bench() -> None:
    tried = {code for fault in faults.FAULTS for code in fault.codes}
    loop = {code for code in load_fixes() if code.startswith("loop.") or code == "clip.before_unscale"}
    untried = set(load_fixes()) - tried - loop
    assert untried <= UNTRIED, untried - UNTRIED


# Cured by a fix that is tried under another of its codes.
UNTRIED = {
    "augmentation.same_in_workers",
    "clip.too_small",
    "init.dead_relu",
    "init.gradient_flow",
    "init.identical_units",
    "init.scale",
    "loader.batch_size_huge",
    "loader.batch_size_one",
    "loader.last_batch",
    "loss.sign",
    "loss.wrong_for_task",
    "optimizer.adam_on_sgd_recipe",
    "optimizer.frozen_parameters",
    "schedule.warmup_stuck",
    "schedule.zero_rate",
    "decay.too_weak",
}
