"""Fixes of the initialization: calls of torch.nn.init that spoil it."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from trainingdoctor import Finding
from trainingdoctor.remedy import Edit, NotFixable, Provenance, Replace, SetArgument, fix


@fix(
    "init.constant",
    "init.zero",
    "init.identical_units",
    "init.scale",
    "init.gradient_flow",
    "init.dead_relu",
    "init.logits_scale",
)
def he_initialization(finding: Finding, model: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Draw the weights as He et al. 2015 (arXiv:1502.01852) do, and leave biases at zero."""
    places = {}
    for name, parameter in _concerned(model, finding):
        seen = provenance.initializer(parameter)
        if seen is not None:
            places[seen[1]] = parameter.ndim > 1 or name.endswith("weight")
    if not places:
        raise NotFixable("no call of torch.nn.init in your files set these weights")
    for place, weights in sorted(places.items()):
        yield Replace(place, "torch.nn.init.kaiming_normal_({first})" if weights else "torch.nn.init.zeros_({first})")


def _concerned(model: nn.Module, finding: Finding) -> list[tuple[str, Tensor]]:
    """The parameters that the finding names, or of the modules that it names; all where it names the model."""
    named = list(model.named_parameters())
    found = [(n, p) for n, p in named if any(n == w or n.startswith(f"{w}.") for w in finding.where)]
    return [(n, p) for n, p in (found or named) if p.ndim > 1 or found]


@fix("model.output_width")
def as_many_as_classes(finding: Finding, model: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Give the last layer as many outputs as there are classes."""
    heads = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == finding.evidence["outputs"]]
    if len(heads) != 1:
        raise NotFixable("which layer gives the outputs was not seen")
    yield SetArgument(provenance.call(heads[0], "the last layer"), "out_features", str(finding.evidence["classes"]))


FIXES = (he_initialization, as_many_as_classes)
