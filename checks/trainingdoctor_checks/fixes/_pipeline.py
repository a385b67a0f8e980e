"""The one list of transforms of a loader's data set, and the edits that change it for this data set alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from PIL.Image import Image

from trainingdoctor.measure.dataset import innermost
from trainingdoctor.measure.indices import indices_of
from trainingdoctor.measure.plain import indexable, input_transforms
from trainingdoctor.measure.transform_steps import flattened, given_images, is_random
from trainingdoctor.remedy import (
    AddElements,
    CallSite,
    Edit,
    NotFixable,
    Place,
    Provenance,
    RemoveElement,
    Replace,
    WithoutSteps,
    Wrap,
    WrapUse,
)


@dataclass(frozen=True)
class Pipeline:
    """loader: whose it is.  transform: all of it, as the data set applies it.  hint: what tells its name from the other's."""

    loader: Any
    transform: Any
    hint: str
    provenance: Provenance

    @cached_property
    def steps(self) -> list[Any]:
        """The single transforms."""
        return flattened(self.transform)

    @cached_property
    def library(self) -> str:
        """Where further steps are to come from: torchvision's first or second generation."""
        module = type(self.transform).__module__
        if module.startswith("torchvision.transforms.v2"):
            return "torchvision.transforms.v2"
        if module.startswith("torchvision.transforms"):
            return "torchvision.transforms"
        raise NotFixable(f"the transforms are of {module.partition('.')[0]}, which are not rewritten")

    @cached_property
    def site(self) -> CallSite:
        """Where it is built."""
        return self.provenance.call(self.transform, "the list of transforms")

    def takes_pictures(self) -> bool:
        """Whether the first step is given PIL images."""
        dataset = indexable(self.loader)
        return all(isinstance(image, Image) for image in given_images(dataset, indices_of(self.loader), 2))

    def is_shared_with(self, other: Pipeline | None) -> bool:
        """Whether both come from the same line."""
        return other is not None and other.site.place == self.site.place

    def with_steps(self, texts: Sequence[str], after: str | None, shared: Pipeline | None) -> Iterator[Edit]:
        """Put steps in: first, or behind the step of class `after`; in a list that is shared with `shared`, around it."""
        if self.is_shared_with(shared):
            if after is not None:
                raise NotFixable("one list of transforms serves training and evaluation, and takes no pictures")
            compose = f"{self.library}.Compose([{', '.join(texts)}, {{}}])"
            yield WrapUse(self._use(), self.site.place, compose, self.hint)
        elif type(self.transform).__name__ != "Compose":
            own = "{}, " if after is not None else ""
            rest = "" if after is not None else ", {}"
            yield Wrap(self.site.place, f"{self.library}.Compose([{own}{', '.join(texts)}{rest}])")
        else:
            yield AddElements(self.site.place, tuple(texts), after=self._behind(after))

    def _behind(self, after: str | None) -> Place | None:
        if after is None:
            return None
        found = [s for s in self.steps if type(s).__name__ in (after, "ToDtype", "ConvertImageDtype")]
        if not found:
            raise NotFixable(f"there is no {after} among the transforms")
        return self.provenance.call(found[-1], after).place

    def without_random(self, shared: Pipeline | None) -> Iterator[Edit]:
        """Take the random steps out; crops to a size become crops of the centre."""
        random = [s for s in self.steps if is_random(s)]
        if not random:
            raise NotFixable("which transform is random was not seen")
        places = [(s, self.provenance.call(s, type(s).__name__).place) for s in random]
        if self.is_shared_with(shared):
            yield WithoutSteps(self._use(), self.site.place, tuple(p for _, p in places), self.hint)
            return
        for step, place in places:
            resizes = type(step).__name__ == "RandomResizedCrop"
            yield Replace(place, f"{self.library}.Resize({tuple(step.size)})") if resizes else RemoveElement(place)

    def _use(self) -> CallSite:
        """The outermost call of the file that builds the transforms, under which the data set was made."""
        built = self.provenance.built(innermost(self.loader.dataset), "the data set")
        inside = [c for c in built.calls if c.place.file == self.site.place.file]
        if not inside:
            raise NotFixable("where the data set is given the transforms was not seen")
        return inside[0]


def pipeline(loader: Any, hint: str, provenance: Provenance) -> Pipeline:
    """Raises NotFixable where the data set has no one list of transforms."""
    dataset = getattr(loader, "dataset", None)
    found = [] if dataset is None else input_transforms(dataset)
    if len(found) != 1:
        raise NotFixable(f"the data set has {len(found)} lists of transforms")
    return Pipeline(loader, found[0], hint, provenance)
