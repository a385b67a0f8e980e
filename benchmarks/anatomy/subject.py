"""What is trained: the reference run with one thing changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from trainingdoctor.reference import RECIPES, Settings
from trainingdoctor.reference.data import Images
from trainingdoctor.reference.fused import why_not
from trainingdoctor.reference.parts import Parts


@dataclass(frozen=True)
class Subject:
    """One training: settings with their recipe, images and the parts."""

    settings: Settings
    images: Images
    parts: Parts = field(default_factory=Parts)

    def recipe(self, **changes: Any) -> Subject:
        """With these changes of the recipe."""
        return replace(self, settings=replace(self.settings, recipe=replace(self.settings.recipe, **changes)))

    def part(self, **changes: Any) -> Subject:
        """With these parts exchanged."""
        return replace(self, parts=replace(self.parts, **changes))


Change = Callable[[Subject], Subject]


@dataclass(frozen=True)
class Fault:
    """One fault switched on. code: of the check that names it.  strength: how much of it, in words."""

    name: str
    code: str
    strength: str
    change: Change


def healthy(images: Images, *, depth: int, epochs: int, device: str, precision: str, graph: bool) -> Subject:
    """The twin without a fault: `fast` in `epochs` epochs."""
    recipe = RECIPES["fast"]
    size = min(recipe.batch_size, len(images.train_x))
    scaled = replace(recipe, peak=recipe.peak * size / recipe.batch_size)
    fused = why_not(device, precision) is None
    return Subject(Settings(scaled, depth, epochs, size, 0, device, precision, graph=graph, fused=fused), images)
