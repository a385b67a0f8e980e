"""What a criterion was called with: which argument is the model's output, and what was done to it before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.measure.batches import tensors
from trainingdoctor.observing.guise import in_guise

# What scripts do to an output before the loss, tried in this order. Those in FORMS are the criterion's matter, the others the
# model's. Rows are what is made of (N, ..., C): these are examined as torch has them, (N, C, ...).
ROWS = "rows"
BETWEEN: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
    ("", lambda t: t),
    ("squeeze", lambda t: t.squeeze()),
    ("flatten", lambda t: t.flatten()),
    ("float", lambda t: t.float()),
    (ROWS, lambda t: t.reshape(-1, t.shape[-1])),
    ("classes second", lambda t: t.movedim(-1, 1)),
    ("softmax", lambda t: t.softmax(-1 if t.ndim < 2 else 1)),
    ("softmax over the batch", lambda t: t.softmax(0)),
    ("log_softmax", lambda t: t.log_softmax(-1 if t.ndim < 2 else 1)),
    ("sigmoid", lambda t: t.sigmoid()),
    ("tanh", lambda t: t.tanh()),
    ("relu", lambda t: t.relu()),
)
FORMS = ("", "float")
# The class that torch's criteria leave out unless told otherwise, and the functions among them.
IGNORED = -100
IGNORE = ("cross_entropy", "nll_loss")
# What scripts make of a loss for each sample, or for each class of each.
REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda t: t.mean(),
    "sum": lambda t: t.sum(),
    "mean of sums": lambda t: t.sum() / len(t),
}


@dataclass(frozen=True)
class CriterionCall:
    """One call. between: the name of what was done to the output, one of BETWEEN.  position: of the output among the arguments.

    arguments, extra: the same in every call.  part: which of the model's outputs it was, the first is 0.  reduced: the name of
    what was made of its result, one of REDUCTIONS, or "".
    """

    function: Callable[..., Any]
    between: str
    position: int
    target: Any
    arguments: dict[str, Any] = field(default_factory=dict)
    extra: tuple[Any, ...] = ()
    part: int = 0
    reduced: str = ""
    picked: bool = False
    opened: bool = False

    @classmethod
    def of(
        cls, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> CriterionCall | None:
        """Take a call apart; None where no argument comes from the model's output, or more than two belong to the batch."""
        names = ("input", "target")
        given = [*args, *(kwargs[n] for n in names[len(args) :] if n in kwargs)]
        rest, extra = {k: v for k, v in kwargs.items() if k not in names}, tuple(args[2:])
        if given and any(_of_batch(e, given[0]) for e in (*extra, *rest.values())):
            return None
        for position, argument in enumerate(given[:2]):
            found = _between(output, argument)
            if found is not None:
                part, between = found
                target = given[1 - position] if len(given) > 1 else None
                target = _by_sample(target, part_of(output, part)) if between == ROWS else target
                opened = not isinstance(output, Tensor) and _is_own(function)
                return cls(function, between, position, target, rest, extra, part, opened=opened)
        spread = _spread(function, given, rest, output)
        return None if spread is None else cls(function, "", 0, spread[1], rest, extra, spread[0], picked=True)

    @property
    def is_followed(self) -> bool:
        """Whether the model is examined with what the loop makes of its output."""
        return self.part > 0 or self.between not in FORMS or self.opened

    def replaces(self, other: CriterionCall | None) -> bool:
        """Whether this one is to be examined: neither an auxiliary head's loss, nor, beside one of classes, a teacher's answer.

        Of losses under masks the first is: the next may be of the evaluation's nodes.
        """
        if other is not None and self.picked and other.picked:
            return False
        if other is None or self.part != other.part:
            return other is None or self.part < other.part
        return _is_classes(self.target) or not _is_classes(other.target)

    def is_first_of_classes(self, other: CriterionCall | None) -> bool:
        """Whether the one before was of a teacher's answer or the like, as an attack on the model has its own loss."""
        return other is not None and _is_classes(self.target) and not _is_classes(other.target)

    def is_like(self, other: CriterionCall | None) -> bool:
        """Whether it is the same criterion, called in the same way on another batch."""
        return other is not None and _kind(self) == _kind(other) and _options(self) == _options(other)

    def criterion(self) -> Callable[..., Any]:
        """The criterion as a function of (output, target); the object itself where it was called like that."""
        plain = not self.arguments and not self.extra and not self.reduced
        if plain and self.position == 0 and self.between in ("", "float"):
            return self.function
        form = dict(BETWEEN)[self.between] if self.between in FORMS else _same

        def criterion(output: Any, target: Any) -> Any:
            first = form(next(tensors(output)))
            if self.between == ROWS:
                first, target = first.movedim(1, -1).reshape(-1, first.shape[1]), target.flatten()
            pair = (first, target) if self.position == 0 else (target, first)
            loss = self.function(*pair, *self.extra, **self.arguments)
            return REDUCTIONS[self.reduced](loss) if self.reduced else loss

        criterion.__name__ = getattr(self.function, "__name__", type(self.function).__name__)
        if criterion.__name__ in IGNORE:
            criterion.ignore_index = self.arguments.get("ignore_index", IGNORED)  # type: ignore[attr-defined]
        return criterion


def _kind(call: CriterionCall) -> tuple[Any, ...]:
    of_module = isinstance(call.function, nn.Module)
    return type(call.function) if of_module else call.function, call.between, call.position, call.part


def _options(call: CriterionCall) -> dict[str, Any]:
    return {k: id(v) if isinstance(v, Tensor) else v for k, v in call.arguments.items()}


def _is_own(function: Any) -> bool:
    """Whether it is a module that is none of torch's."""
    return isinstance(function, nn.Module) and not type(function).__module__.startswith("torch.")


def _is_classes(target: Any) -> bool:
    return isinstance(target, Tensor) and not target.is_floating_point()


def _spread(function: Any, given: list[Any], rest: dict[str, Any], output: Any) -> tuple[int, Tensor] | None:
    """Of a loss over some rows of an output: which output, and targets for all its rows; None where it is no such loss.

    The criterion must be one that leaves a class out: so are the other rows.
    """
    named = getattr(function, "__name__", "") in IGNORE
    ignored = rest.get("ignore_index", IGNORED) if named else getattr(function, "ignore_index", None)
    if ignored is None or len(given) < 2 or not _is_classes(given[1]):
        return None
    for part, made in enumerate(_outputs(output)):
        rows = _picked_rows(given[0], made)
        if rows is not None:
            target = torch.full(made.shape[:1], ignored, device=given[1].device)
            target[rows] = given[1]
            return part, target
    return None


def _picked_rows(argument: Any, made: Tensor) -> Any:
    """The index that took rows of an (N, C) output; None where that is not what was done to it."""
    node = argument.grad_fn if isinstance(argument, Tensor) else None
    if node is None or made.ndim != 2 or argument.shape[1:] != made.shape[1:]:
        return None
    if not node.next_functions or node.next_functions[0][0] is not made.grad_fn:
        return None
    indices: Any = getattr(node, "_saved_indices", ())
    return indices[0] if len(indices) == 1 else None


def reduction(losses: Tensor, loss: float) -> str | None:
    """By which of REDUCTIONS this loss was made of several; None for another way, such as with weights."""
    made = ((name, float(function(losses))) for name, function in REDUCTIONS.items())
    return next((name for name, value in made if math.isclose(value, loss, rel_tol=1e-4)), None)


def _of_batch(value: Any, first: Any) -> bool:
    """Whether another argument changes from batch to batch: a part of the output, a row for each sample, or indices of some."""
    if isinstance(value, tuple | list) and any(not t.is_floating_point() for t in tensors(list(value))):
        return True
    if not isinstance(value, Tensor) or not isinstance(first, Tensor):
        return False
    return value.requires_grad or (value.ndim > 0 and value.shape[:1] == first.shape[:1])


def _outputs(output: Any) -> Iterator[Tensor]:
    """Tensors that a loss may be of; a number among them is the model's own loss, which it only gives with the targets."""
    return (t for t in tensors(output) if t.ndim)


def part_of(output: Any, part: int) -> Tensor:
    """One of the model's outputs."""
    return next(islice(_outputs(output), part, None))


def _by_sample(target: Any, output: Tensor) -> Any:
    """Targets of rows, as many for each sample as it has rows."""
    rows = output.shape[:-1]
    fits = isinstance(target, Tensor) and target.ndim == 1 and target.numel() == rows.numel()
    return target.reshape(rows) if fits else target


def _same(value: Tensor) -> Tensor:
    return value


def _between(output: Any, argument: Any) -> tuple[int, str] | None:
    """From which of the model's outputs `argument` follows, and how; None where it does not."""
    if not isinstance(argument, Tensor) or not argument.is_floating_point():
        return None if argument is not output else (0, "")
    for part, made in enumerate(_outputs(output)):
        if made is argument:
            return part, ""
        for name, function in BETWEEN:
            if _equal(made, function, argument):
                return part, name
    return None


def _equal(made: Tensor, function: Callable[[Tensor], Tensor], argument: Tensor) -> bool:
    try:
        with torch.no_grad():
            result = function(made.detach())
            return result.shape == argument.shape and torch.allclose(result.float(), argument.detach().float(), 1e-4)
    except (RuntimeError, IndexError):
        return False


class Followed(nn.Module):
    """A model with what the loop does to its output, or to one of them, before the loss."""

    def __init__(self, model: nn.Module, between: str, part: int = 0) -> None:
        super().__init__()
        self.model, self.between, self.part = model, between, part
        self.__class__ = in_guise(Followed, type(model).__name__, type(model))

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """The output as the loss got it; rows with the classes second."""
        output = part_of(self.model(*args, **kwargs), self.part)
        return output.movedim(-1, 1) if self.between == ROWS else dict(BETWEEN)[self.between](output)
