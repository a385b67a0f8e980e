"""Models that a loop calls one after the other, as an encoder and the decoder that gets what the encoder gave."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from trainingdoctor.observing.guise import in_guise
from trainingdoctor.observing.ranks import unwrapped
from trainingdoctor.observing.watch import OptimizerWatch

Calls = tuple[tuple[nn.Module, Any], ...]


class Chained(nn.Module):
    """Several models as one: each is given what the one before it gave. first: as the loop calls it."""

    def __init__(self, models: tuple[nn.Module, ...]) -> None:
        super().__init__()
        self.__dict__["first"] = models[0]
        for model in map(unwrapped, models):
            name = type(model).__name__
            self.add_module(f"{name}{len(self._modules)}" if name in self._modules else name, model)
        self.__class__ = in_guise(Chained, " + ".join(self._modules), type(unwrapped(models[0])))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the last one gives."""
        first, *others = self.children()
        output = first(*args, **kwargs)
        for model in others:
            output = model(output)
        return output


def continued(calls: Calls, output: Any, model: nn.Module, given: Any) -> Calls:
    """The calls that led to this one. output: of the newest of them."""
    args, kwargs = given
    whole = len(args) == 1 and not kwargs and args[0] is output and isinstance(output, Tensor)
    if whole and calls and all(model is not before for before, _ in calls):
        return (*calls, (model, given))
    return ((model, given),)


def trained_as_one(models: tuple[nn.Module, ...], optimizers: list[OptimizerWatch]) -> bool:
    """Whether one optimizer holds some of each of several models. A generator and its critic have one each."""
    own = [{id(p) for p in m.parameters()} for m in models]
    return len(models) > 1 and any(all(w.held & mine for mine in own) for w in optimizers)
