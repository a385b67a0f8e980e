"""What torch took from scripts for years, and takes no longer."""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from torch.optim import lr_scheduler

from trainingdoctor.observing.replacing import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

VERBOSE = "verbose= of {} was left out: this version of torch does not take it"


def verbose_taken(stack: ExitStack, notes: list[str]) -> None:
    """Until the stack closes, schedulers take `verbose`, once their last argument, and do without it. notes: what was left out."""
    kinds: list[type] = [lr_scheduler.LRScheduler, *lr_scheduler.LRScheduler.__subclasses__()]
    for kind in kinds:
        if kind.__module__ == lr_scheduler.__name__ and "__init__" in vars(kind):
            taken = inspect.signature(kind).parameters
            if "verbose" not in taken and inspect.Parameter.VAR_POSITIONAL not in {p.kind for p in taken.values()}:
                wrap(stack, kind, "__init__", partial(_quiet, notes, kind.__name__, len(taken) + 1))


def _quiet(notes: list[str], name: str, most: int, original: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    """most: arguments that it takes now, itself among them."""
    left_out = len(args) == most + 1 or "verbose" in kwargs
    kwargs.pop("verbose", None)
    if left_out and VERBOSE.format(name) not in notes:
        notes.append(VERBOSE.format(name))
    original(*args[: most if left_out else None], **kwargs)
