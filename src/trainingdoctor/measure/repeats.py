"""Layers that stand several times in one list of layers."""

from dataclasses import dataclass

from torch import nn

from trainingdoctor.evidence import evidence


@dataclass(frozen=True)
class RepeatedLayers:
    """For each layer that is several times in one container: the names of its places; blocks: whether it has layers of its own."""

    places: tuple[tuple[str, ...], ...]
    blocks: tuple[bool, ...]


@evidence()
def repeated_layers(model: nn.Module) -> RepeatedLayers:
    """Look into each Sequential and ModuleList for one and the same module with weight matrices under several numbers."""
    found: list[tuple[tuple[str, ...], bool]] = []
    for name, container in model.named_modules():
        if not isinstance(container, nn.Sequential | nn.ModuleList):
            continue
        places: dict[nn.Module, list[str]] = {}
        for key, child in container._modules.items():
            if child is not None and any(p.ndim >= 2 for p in child.parameters()):
                places.setdefault(child, []).append(f"{name}.{key}" if name else key)
        found += [(tuple(p), any(True for _ in m.children())) for m, p in places.items() if len(p) > 1]
    return RepeatedLayers(tuple(p for p, _ in found), tuple(block for _, block in found))
