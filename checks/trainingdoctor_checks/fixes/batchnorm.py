"""Fixes of BatchNorm and dropout: settings of layers, where they are built or where they were set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import nn

from trainingdoctor import Finding
from trainingdoctor.remedy import (
    DropArgument,
    Edit,
    NotFixable,
    Provenance,
    RemoveStatement,
    SetAttribute,
    fix,
)
from trainingdoctor_checks.fixes._values import named_value


def layers(model: nn.Module, names: Iterable[str]) -> list[nn.Module]:
    """The modules of these names. Raises NotFixable where there are none."""
    modules = dict(model.named_modules())
    found = [modules[name] for name in names if name in modules]
    if not found:
        raise NotFixable("the layers are not the model's own")
    return found


def setting(module: nn.Module, name: str, value: str, provenance: Provenance) -> Edit:
    """Where the attribute was set from outside, there; else in the call that builds the layer."""
    place = provenance.attribute(module, name)
    if place is not None:
        return SetAttribute(place, value)
    return provenance.setting(module, f"{type(module).__name__} {name}", name, value)


@fix("batchnorm.momentum")
def set_momentum(finding: Finding, model: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Set the momentum to 0.1."""
    for layer in layers(model, finding.where):
        yield setting(layer, "momentum", "0.1", provenance)


@fix("batchnorm.eps")
def set_eps(finding: Finding, model: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Set epsilon to PyTorch's default."""
    for layer in layers(model, finding.where):
        yield setting(layer, "eps", "1e-5", provenance)


@fix("batchnorm.untracked")
def track(finding: Finding, model: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Keep running statistics."""
    for layer in layers(model, finding.where):
        yield DropArgument(provenance.call(layer, "BatchNorm"), "track_running_stats")


@fix("batchnorm.eval_in_training")
def train_mode(finding: Finding, model: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Leave out what puts the layers into evaluation mode."""
    by_name = dict(model.named_modules())
    places = set()
    for name in finding.where:
        # The layer itself, or a module around it.
        around = [name.rsplit(".", i)[0] for i in range(name.count(".") + 1)] + [""]
        seen = [provenance.attribute(by_name[n], "training") for n in around if n in by_name]
        places |= {place for place in seen if place is not None}
    if not places:
        raise NotFixable("what puts the layers into evaluation mode was not seen")
    yield from (RemoveStatement(place) for place in sorted(places))


@fix("dropout.too_high")
def lower_dropout(finding: Finding, model: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Remove less."""
    for layer in layers(model, finding.where):
        yield setting(layer, "p", named_value(finding, "p"), provenance)


FIXES: tuple[Any, ...] = (set_momentum, set_eps, track, train_mode, lower_dropout)
