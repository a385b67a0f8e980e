"""Known-good recipes of model families and data sets, what they reach, and what their parts are worth: `recipes.toml`."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a family is trained on a data set. None: the source leaves it open, or it makes no difference.

    lr, weight_decay: (lowest, highest) of the published variants.  ends: the last rate over the peak, at most.
    augmentation: kinds of change as `augmentation_pairs` names them.  code: to paste.  pretrained: it starts from
    trained weights.
    """

    name: str
    families: tuple[str, ...]
    datasets: tuple[str, ...]
    source: str
    code: str
    optimizer: str | None = None
    lr: tuple[float, float] | None = None
    momentum: float | None = None
    weight_decay: tuple[float, float] | None = None
    batch_size: int | None = None
    epochs: int | None = None
    schedule: str | None = None
    ends: float | None = None
    warmup: bool = False
    augmentation: tuple[str, ...] = ()
    label_smoothing: float | None = None
    pretrained: bool = False

    @property
    def adaptive(self) -> bool:
        """Whether its optimizer divides the step by the size of the gradient."""
        return self.optimizer not in (None, "SGD")


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """What a family reached on a data set, in percent, by millions of parameters; one pair for all sizes has 0 there."""

    family: str
    dataset: str
    source: str
    by_millions: tuple[tuple[float, float], ...]

    def of(self, parameters: int, tolerance: float = 0.25) -> float | None:
        """The figure for the published size nearest to `parameters`; None when none is within `tolerance`."""
        millions, percent = min(self.by_millions, key=lambda pair: _distance(pair[0], parameters))
        return percent if not millions or _distance(millions, parameters) <= math.log(1 + tolerance) else None


def _distance(millions: float, parameters: int) -> float:
    return abs(math.log(millions * 1e6 / max(parameters, 1))) if millions else 0.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Points of accuracy that a difference cost where it was measured."""

    item: str
    here: str
    family: str
    dataset: str
    points: float
    source: str


@dataclass(frozen=True)
class Table:
    """Everything in `recipes.toml`."""

    recipes: tuple[Recipe, ...]
    accuracies: tuple[Accuracy, ...]
    costs: tuple[Cost, ...]

    def recipe(self, family: str, dataset: str | None, pretrained: bool) -> Recipe | None:
        """The recipe of a family on a data set, from scratch or from trained weights."""
        fits = (
            r
            for r in self.recipes
            if family in r.families
            and r.pretrained == pretrained
            and ("any" in r.datasets or (dataset is not None and dataset in r.datasets))
        )
        return next(fits, None)

    def accuracy(self, family: str, dataset: str | None, parameters: int) -> tuple[float, str] | None:
        """What the literature reached with this family and size, in percent, and where it says so."""
        for entry in self.accuracies:
            if (entry.family, entry.dataset) == (family, dataset) and (percent := entry.of(parameters)) is not None:
                return percent, entry.source
        return None

    def cost(self, item: str, here: str, family: str, dataset: str | None) -> Cost | None:
        """The measured or published cost of a difference; None where nobody measured it."""
        wanted = (item, here, family, dataset)
        return next((c for c in self.costs if (c.item, c.here, c.family, c.dataset) == wanted), None)


@cache
def known_recipes() -> Table:
    """The table that comes with the package."""
    text = resources.files("trainingdoctor").joinpath("recipes.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return Table(
        recipes=tuple(_recipe(r) for r in data["recipe"]),
        accuracies=tuple(_accuracy(a) for a in data["accuracy"]),
        costs=tuple(Cost(**c) for c in data["cost"]),
    )


def _recipe(entry: dict[str, Any]) -> Recipe:
    fields = {**entry, "code": entry["code"].strip()}
    fields |= {k: tuple(entry[k]) for k in ("families", "datasets", "augmentation") if k in entry}
    fields |= {k: _range(entry[k]) for k in ("lr", "weight_decay") if k in entry}
    return Recipe(**fields)


def _range(value: float | list[float]) -> tuple[float, float]:
    return (value[0], value[-1]) if isinstance(value, list) else (value, value)


def _accuracy(entry: dict[str, Any]) -> Accuracy:
    pairs = entry.get("by_millions") or [[0.0, entry["percent"]]]
    return Accuracy(
        family=entry["family"],
        dataset=entry["dataset"],
        source=entry["source"],
        by_millions=tuple((float(m), float(p)) for m, p in pairs),
    )
