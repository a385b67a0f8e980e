"""Which call of the user's built what, as fixes ask for it."""

from __future__ import annotations

import linecache
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from trainingdoctor.observing.places import CallSite, Place
from trainingdoctor.remedy.arguments import Edit, SetArgument, SetDefault
from trainingdoctor.remedy.building import Building, Built
from trainingdoctor.remedy.fix import NotFixable
from trainingdoctor.remedy.lookup import handed_on, passes
from trainingdoctor.remedy.source import Source, Unplaceable
from trainingdoctor.remedy.statements import target_of

# `scaler.step(optimizer)`.
SCALED_STEP = re.compile(r"([\w.]*scaler[\w.]*)\.step\(([\w.]+)\)")


@dataclass(frozen=True)
class Provenance:
    """building: what was seen while the config or script ran.  file: of it."""

    building: Building
    file: Path
    is_script: bool = False
    _sources: dict[Path, Source] = field(default_factory=dict, repr=False, compare=False)

    @property
    def top(self) -> Place:
        """The beginning of the config, for edits that find their line themselves."""
        return Place(self.file, 1, 0, 1, 0)

    def line(self, where: str) -> Place:
        """The line of a finding's `where`, "train.py:34". Raises NotFixable where that is no line of a file of the user's."""
        name, _, number = where.rpartition(":")
        if not name or not number.isdigit():
            raise NotFixable("no line was seen that could be changed")
        found = [self.file] if name == self.file.name else sorted(self.file.parent.rglob(name))
        if len(found) != 1:
            raise NotFixable(f"there are {len(found)} files {name}")
        return Place(found[0], int(number), 0, int(number), 0)

    def source_line(self, place: Place) -> str:
        """The line as it was run."""
        return linecache.getline(str(place.file), place.line)

    def assigned_name(self, place: Place) -> str:
        """What the statement around a call calls its value: `scheduler`, `self.scheduler`. Raises NotFixable."""
        try:
            return target_of(self._source(place), place)
        except Unplaceable as error:
            raise NotFixable(str(error)) from error

    def scaler_near(self, place: Place) -> tuple[str, str]:
        """The names of a GradScaler and of the optimizer that it is given, in the file of a line. Raises NotFixable."""
        for line in linecache.getlines(str(place.file)):
            if found := SCALED_STEP.search(line):
                return found[1], found[2]
        raise NotFixable("where the scaler steps the optimizer was not seen")

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

    def setting(self, value: Any, what: str, name: str, text: str) -> Edit:
        """The edit that gives an object's argument a value: in the call that builds it, or in the caller that hands the value on.

        Raises NotFixable where a library built the object.
        """
        site = self.call(value, what)
        for outer in (*self.built(value, what).calls[1:], None):
            handed = handed_on(self._source(site.place), site, name)
            if handed is None:
                break
            if outer is None or not passes(self._source(outer.place), outer, handed):
                return SetDefault(site, handed, text)
            site, name = outer, handed
        return SetArgument(site, name, text)

    def _source(self, place: Place) -> Source:
        """Parsed once: a model asks for each of its layers."""
        file = place.file
        if file not in self._sources:
            self._sources[file] = Source(file, "".join(linecache.getlines(str(file))))
        return self._sources[file]

    def attribute(self, module: nn.Module, name: str) -> Place | None:
        """Where a module's attribute was set from outside, None where it was not."""
        return self.building.attributes.get((id(module), name))

    def initializer(self, tensor: Tensor) -> tuple[str, Place] | None:
        """The function of torch.nn.init that set a parameter last, and where it was called."""
        found = self.building.initializers.get(id(tensor))
        return None if found is None else found[1:]
