"""What torch took from scripts for years, and takes no longer."""

from __future__ import annotations

import inspect
import re
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import lr_scheduler

from trainingdoctor.errors import Outdated, UserCodeError
from trainingdoctor.observing.passes import Watched
from trainingdoctor.observing.places import users_place
from trainingdoctor.observing.replacing import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

VERBOSE = "verbose= of {} was left out: this version of torch does not take it"
# What raises now: as it is written, and as it should be. The sources in which to look for the calls that are watched at a price.
NEXT = ("iterator.next()", "next(iterator)")
NUMBER = ("loss.data[0]", "loss.item()")
VIEW = ("correct[:k].view(-1)", "correct[:k].reshape(-1)")
_SAYS_NUMBER = re.compile(rb"\.data\[0\]")
_SAYS_VIEW = re.compile(rb"\[:\w+\]\.view\(")


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


def next_taken(stack: ExitStack, outdated: list[UserCodeError]) -> None:
    """Until the stack closes, what iterates a DataLoader has .next(), as before PyTorch 1.13. outdated: gets that it was called."""

    def following(iterator: Watched) -> Any:
        _tell(outdated, NEXT)
        return next(iterator)

    Watched.next = following  # type: ignore[attr-defined]
    stack.callback(delattr, Watched, "next")


def older_taken(stack: ExitStack, outdated: list[UserCodeError], source: bytes) -> None:
    """Where the source looks like it: until the stack closes, element 0 of a tensor of one number is that number, as before
    PyTorch 0.5, and comparisons have a view of every shape, as before 1.7."""
    for says, name, around in ((_SAYS_NUMBER, "__getitem__", _element), (_SAYS_VIEW, "view", _viewed)):
        if says.search(source) and not hasattr(getattr(Tensor, name), "older"):
            wrap(stack, Tensor, name, partial(around, outdated))
            getattr(Tensor, name).older = True


def _element(outdated: list[UserCodeError], original: Callable[..., Any], tensor: Tensor, index: Any) -> Any:
    if type(index) is int and index == 0 and tensor.ndim == 0:
        _tell(outdated, NUMBER)
        return tensor.item()
    return original(tensor, index)


def _viewed(outdated: list[UserCodeError], original: Callable[..., Any], tensor: Tensor, *shape: Any) -> Any:
    try:
        return original(tensor, *shape)
    except RuntimeError:
        if tensor.dtype is not torch.bool:
            raise
    _tell(outdated, VIEW)
    return tensor.reshape(*shape)


def _tell(outdated: list[UserCodeError], call: tuple[str, str]) -> None:
    if not any(isinstance(said, Outdated) and said.written == call[0] for said in outdated):
        outdated.append(Outdated(*call, users_place(4)))
