"""Attempts to freeze parameters, as they stand on the objects: an attribute that torch does not know freezes nothing."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from trainingdoctor.evidence import evidence

RIGHT = "requires_grad"


@dataclass(frozen=True)
class VainFreeze:
    """`where.attribute = False` on a module or a parameter. numbers: trainable ones that it was meant to freeze."""

    where: str
    attribute: str
    numbers: int
    on_module: bool


@evidence()
def vain_freezes(model: nn.Module) -> tuple[VainFreeze, ...]:
    """Plain attributes like requires_grad that are False on modules, and misspelt ones on parameters."""
    return (*_on_modules(model), *_on_parameters(model))


def _on_modules(model: nn.Module) -> Iterator[VainFreeze]:
    for name, module in model.named_modules():
        for attribute in _like_requires_grad(vars(module)):
            numbers = sum(p.numel() for p in module.parameters() if p.requires_grad)
            yield VainFreeze(name or "model", attribute, numbers, True)


def _on_parameters(model: nn.Module) -> Iterator[VainFreeze]:
    for name, parameter in model.named_parameters():
        for attribute in _like_requires_grad(vars(parameter)):
            yield VainFreeze(name, attribute, parameter.numel() if parameter.requires_grad else 0, False)


def _like_requires_grad(attributes: dict[str, object]) -> list[str]:
    unset = [a for a, value in attributes.items() if value is False]
    return difflib.get_close_matches(RIGHT, unset, n=3, cutoff=0.85)
