"""What a fault is on the bench, and the parts that most injectors share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from parts import Parts
from torch import nn


@dataclass(frozen=True)
class Fault:
    """One way to spoil a training.

    code: what the diagnosis must say.  also: codes that name the same fault on some bases (identical units whose head is
    constant, ...).  needs, without: tags that a base must, or must not, have.  consequences: codes that may be
    said as well, because the fault really brings them about.  corpus: the published list that has it.
    strength: gross, or subtle (about as weak as still costs accuracy).  bases: only these, by name.  part: data, model or
    recipe.
    """

    name: str
    code: str
    spoil: Callable[[Parts], Parts]
    needs: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    also: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()
    corpus: str = ""
    strength: str = "gross"
    bases: tuple[str, ...] = ()
    part: str = ""

    def fits(self, base: Parts) -> bool:
        """Whether the fault makes sense on this base."""
        if self.bases and base.name not in self.bases:
            return False
        return self.needs <= base.tags and not self.without & base.tags

    @property
    def right(self) -> tuple[str, ...]:
        """All codes that count as naming it."""
        return (self.code, *self.also)


def fault(
    name: str,
    code: str,
    spoil: Callable[[Parts], Parts],
    needs: str = "",
    without: str = "",
    also: Iterable[str] = (),
    consequences: Iterable[str] = (),
    **more: Any,
) -> Fault:
    """A `Fault` with its tags written as words."""
    tags = frozenset(needs.split()), frozenset(without.split())
    return Fault(name, code, spoil, *tags, also=tuple(also), consequences=tuple(consequences), **more)


def change(**changes: Any) -> Callable[[Parts], Parts]:
    """Replace parts."""
    return lambda parts: parts.but(**{k: dict(v) if isinstance(v, dict) else v for k, v in changes.items()})


def model_step(step: Callable[[nn.Module], nn.Module | None]) -> Callable[[Parts], Parts]:
    """Do something to the model before the optimizer is made."""
    return lambda parts: parts.but(model_steps=(*parts.model_steps, step))


def later(step: Callable[[nn.Module], nn.Module | None]) -> Callable[[Parts], Parts]:
    """Do something to the model when the optimizer already holds its parameters."""
    return lambda parts: parts.but(later_model_steps=(*parts.later_model_steps, step))


def group(**values: Any) -> Callable[[Parts], Parts]:
    """Write numbers into every parameter group, before the scheduler is made; functions get the old number."""
    return lambda parts: parts.but(group={**parts.group, **values})


def times(factor: float) -> Callable[[float], float]:
    """For `group`: the old number times a factor."""
    return lambda value: value * factor


def both(first: Callable[[Parts], Parts], second: Callable[[Parts], Parts]) -> Callable[[Parts], Parts]:
    """One after the other."""
    return lambda parts: second(first(parts))


def modules(model: nn.Module, *kinds: type) -> list[Any]:
    """All modules of these types."""
    return [m for m in model.modules() if isinstance(m, kinds)]


def last_linear(model: nn.Module) -> nn.Linear:
    """The head."""
    head: nn.Linear = modules(model, nn.Linear)[-1]
    return head


def replaced(model: nn.Module, kind: type | tuple[type, ...], make: Callable[[nn.Module], nn.Module]) -> None:
    """Put another module in place of each of a type, in place."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, kind):
                setattr(parent, name, make(child))


def weights(function: Callable[[torch.Tensor], Any]) -> Callable[[nn.Module], None]:
    """A model step that applies `function` to every matrix and kernel."""

    @torch.no_grad()
    def step(model: nn.Module) -> None:
        for parameter in model.parameters():
            if parameter.ndim > 1:
                function(parameter)

    return step
