"""Which call of the user's built what, as fixes ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from trainingdoctor.observing.places import CallSite, Place
from trainingdoctor.remedy.building import Building, Built
from trainingdoctor.remedy.fix import NotFixable


@dataclass(frozen=True)
class Provenance:
    """building: what was seen while the config ran.  file: the config."""

    building: Building
    file: Path

    @property
    def top(self) -> Place:
        """The beginning of the config, for edits that find their line themselves."""
        return Place(self.file, 1, 0, 1, 0)

    def built(self, value: Any, what: str) -> Built:
        """How an object was built. Raises NotFixable."""
        built = self.building.of(value)
        if built is None or not built.calls:
            raise NotFixable(f"where {what} is built was not seen")
        return built

    def call(self, value: Any, what: str) -> CallSite:
        """The call of the class itself. Raises NotFixable where a library made the object."""
        built = self.built(value, what)
        if not built.direct:
            raise NotFixable(f"{what} is built by a library, at {built.calls[0].place}")
        return built.calls[0]

    def attribute(self, module: nn.Module, name: str) -> Place | None:
        """Where a module's attribute was set from outside, None where it was not."""
        return self.building.attributes.get((id(module), name))

    def initializer(self, tensor: Tensor) -> tuple[str, Place] | None:
        """The function of torch.nn.init that set a parameter last, and where it was called."""
        found = self.building.initializers.get(id(tensor))
        return None if found is None else found[1:]
