"""What a column of a metrics file means, by its name: `val_acc`, `Test/Accuracy@1`, `eval_loss`, `lr-SGD`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

TEST = {"test", "testing", "val", "valid", "validation", "eval", "evaluation", "dev"}
ACCURACY = {"acc", "accuracy", "acc1", "top1", "prec1", "precision1", "prec", "correct"}
ERROR = {"err", "error", "err1"}
RATE = {"lr", "learningrate", "rate"}
# Top-5 and the like are other quantities.
OTHER = {"top5", "acc5", "prec5", "err5", "5", "best", "std", "time", "norm"}


@dataclass(frozen=True)
class Role:
    """A column of `EpochRow`. is_error: given as an error, 100 less the accuracy."""

    column: str
    is_error: bool = False


def words(name: str) -> list[str]:
    """The parts of a name, in lower case: "TestAcc" and "test_acc" are the same."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return [w for w in re.split(r"[^a-z0-9]+", apart.lower()) if w]


def role_of(name: str) -> Role | None:
    """None for what is no accuracy, loss or rate."""
    found = words(name)
    joined = {a + b for a, b in pairwise(found)}
    known = {*found, *joined}
    if known & OTHER:
        return None
    side = "test" if known & TEST else "train"
    if known & ACCURACY:
        return Role(f"{side}_accuracy")
    if "loss" in known or any(w.endswith("loss") for w in found):
        return Role(f"{side}_loss")
    if known & ERROR:
        return Role(f"{side}_accuracy", is_error=True)
    return Role("rate") if known & RATE else None


def is_epoch(name: str) -> bool:
    """Whether a column counts epochs."""
    return words(name) in (["epoch"], ["epochs"], ["ep"])


def is_step(name: str) -> bool:
    """Whether a column counts steps."""
    return words(name) in (["step"], ["steps"], ["iteration"], ["iter"], ["global", "step"], ["globalstep"])
