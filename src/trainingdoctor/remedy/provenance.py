"""Which call of the user's built what, as fixes ask for it."""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import libcst as cst
from torch import Tensor, nn

from trainingdoctor.observing.places import CallSite, Place, is_users
from trainingdoctor.remedy.arguments import Edit, SetArgument, SetDefault
from trainingdoctor.remedy.building import Building, Built
from trainingdoctor.remedy.edits import Replace
from trainingdoctor.remedy.fix import NotFixable
from trainingdoctor.remedy.lookup import argument, constant_of, entry_key, function_of, handed_on, is_setting, passes
from trainingdoctor.remedy.loops import turns
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

    def name_of(self, value: Any, what: str) -> str:
        """What an object is called where it is built, or else where the function that builds it is called. Raises NotFixable."""
        refused: list[NotFixable] = []
        for site in self.built(value, what).calls:
            try:
                return self.assigned_name(site.place)
            except NotFixable as error:
                refused.append(error)
        raise refused[0]

    def name_at(self, value: Any, what: str, place: Place) -> str:
        """What an object that was built before is called at a place in the same file. Raises NotFixable."""
        built = self.call(value, what).place
        name = self.assigned_name(built)
        if built.file == place.file and (built < place or "." in name):
            source = self._source(place)
            ours, theirs = (function_of(source, source.at(p, cst.Call)) for p in (place, built))
            if "." in name or theirs in (None, ours):
                return name
        raise NotFixable(f"{what} is not known at {place}")

    def text_at(self, site: CallSite, place: Place) -> str | None:
        """A call as it is written, where its names are known at another place, too; else None."""
        source = self._source(site.place)
        try:
            call = source.at(site.place, cst.Call)
            ours, theirs = function_of(source, source.at(place, cst.Call)), function_of(source, call)
        except Unplaceable:
            return None
        return source.shown(call) if place.file == site.place.file and theirs in (None, ours) else None

    def epochs_at(self, loop: Place, place: Place) -> str | None:
        """The name at a place of how often a loop turns; None where there is none."""
        try:
            return turns(self._source(loop), loop, place)
        except Unplaceable:
            return None

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

    def setting(self, value: Any, what: str, name: str, text: str, alone: bool = False) -> Edit:
        """The edit that gives an object's argument a value: in the call that builds it, in the caller that hands the value on, or
        where a file of the user's sets the option or the constant.

        alone: see SetArgument. Raises NotFixable where a library built the object.
        """
        site = self.call(value, what)
        for outer in (*self.built(value, what).calls[1:], None):
            handed = handed_on(self._source(site.place), site, name)
            if handed is None:
                break
            if outer is None or not passes(self._source(outer.place), outer, handed):
                return SetDefault(site, handed, text)
            site, name = outer, handed
        elsewhere = None if alone else self._set_elsewhere(site, name)
        return SetArgument(site, name, text, alone) if elsewhere is None else Replace(elsewhere, text)

    def _set_elsewhere(self, site: CallSite, name: str) -> Place | None:
        """Where the only file of the user's that does so sets what the argument names; None where it is set in the call's own."""
        source = self._source(site.place)
        try:
            found = argument(source.at(site.place, cst.Call), name, site.parameters)
        except Unplaceable:
            return None
        if found is None or constant_of(source, found.value) is not None:
            return None
        full = source.full_name(found.value)
        if not full and not is_setting(found.value):
            return None
        is_entry = entry_key(found.value) is not None
        word = found.value if is_entry or not full else cst.Name(full.rpartition(".")[2])
        places = set()
        for module, file in _modules_near(self.file):
            if file != site.place.file and (not full or full.startswith(f"{module}.")):
                other = self._source(Place(file, 1, 0, 1, 0))
                value = constant_of(other, word) if _last_word(source.shown(word)) in other.text else None
                places |= set() if value is None else {other.place(value)}
        return places.pop() if len(places) == 1 else None

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


def _modules_near(script: Path) -> Iterator[tuple[str, Path]]:
    """Names and files of the modules of the user's that are loaded, from the folder around the script's own."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and is_users(file):
            path = Path(file).resolve()
            if path.is_relative_to(script.parent.parent):
                yield name, path


def _last_word(text: str) -> str:
    """`lr` of `args.lr`, and of `config["lr"]`."""
    return str(re.findall(r"\w+", text)[-1])
