"""Layers that stand several times in one list of layers."""

from dataclasses import dataclass

from torch import nn

from trainingdoctor.evidence import evidence


@dataclass(frozen=True)
class RepeatedLayers:
    """For each layer that is several times in one container: the names of its places."""

    places: tuple[tuple[str, ...], ...]


@evidence()
def repeated_layers(model: nn.Module) -> RepeatedLayers:
    """Look into each Sequential and ModuleList for one and the same module with weight matrices under several numbers."""
    found = []
    for name, container in model.named_modules():
        if not isinstance(container, nn.Sequential | nn.ModuleList):
            continue
        places: dict[nn.Module, list[str]] = {}
        for key, child in container._modules.items():
            if child is not None and any(p.ndim >= 2 for p in child.parameters()):
                places.setdefault(child, []).append(f"{name}.{key}" if name else key)
        found += [tuple(p) for p in places.values() if len(p) > 1]
    return RepeatedLayers(tuple(found))
