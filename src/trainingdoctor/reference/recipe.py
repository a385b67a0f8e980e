"""Recipes for the reference run: how the ResNet is trained. Every number has its source."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from trainingdoctor.errors import UserError


@dataclass(frozen=True)
class Recipe:
    """One recipe. warmup: share of the steps.  shape: "onecycle" (linear up, linear down) or "steps" (tenths at `drops`).

    drops: shares of the run at which the rate is divided by ten.  iterations: where the recipe counts in these; `epochs`
    is then what they make of CIFAR-10, the last one being cut short.  batch_size: samples per optimizer step. decay_all:
    weight decay on BatchNorm and biases too.  alternating_flip: each image mirrored in every second epoch, not at random.
    muon: rate of the convolutions where these take Muon (`reference.muon`); 0: SGD for all.
    """

    name: str
    source: str
    epochs: int
    batch_size: int
    peak: float
    momentum: float
    nesterov: bool
    weight_decay: float
    decay_all: bool
    label_smoothing: float
    warmup: float
    warmup_factor: float
    shape: str
    alternating_flip: bool = False
    muon: float = 0.0
    drops: tuple[float, ...] = ()
    iterations: int | None = None


HE2015 = Recipe(
    name="he2015",
    source="He et al. 2015, arXiv:1512.03385, section 4.2: 64k iterations of 128, rate 0.1 divided by 10 at 32k and 48k, "
    "warmed up at 0.01 for ResNet-110 (about 400 iterations), weight decay 1e-4, momentum 0.9",
    epochs=165,
    iterations=64_000,
    batch_size=128,
    peak=0.1,
    momentum=0.9,
    nesterov=False,
    weight_decay=1e-4,
    decay_all=True,
    label_smoothing=0.0,
    warmup=400 / 64_000,
    warmup_factor=0.1,
    shape="steps",
    drops=(0.5, 0.75),
)

FAST = Recipe(
    name="fast",
    source="one-cycle after Smith & Topin 2018, arXiv:1708.07120; no decay on BatchNorm and biases and label smoothing after "
    "He et al. 2019, arXiv:1812.01187; alternating flips after Jordan 2024, arXiv:2404.00498; batch and rate are the better of those "
    "measured (benchmarks/results/reference.md)",
    epochs=64,
    batch_size=512,
    peak=0.8,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-4,
    decay_all=False,
    label_smoothing=0.1,
    warmup=0.2,
    warmup_factor=0.0,
    shape="onecycle",
    alternating_flip=True,
)

MUON = replace(
    FAST,
    name="muon",
    source="`fast`, and Jordan et al. 2024, kellerjordan.github.io/posts/muon, for the convolutions; the better of two rates measured",
    muon=0.05,
)

RECIPES = {recipe.name: recipe for recipe in (FAST, HE2015, MUON)}


def recipe_named(name: str) -> Recipe:
    """A recipe by name. Raises UserError."""
    if name not in RECIPES:
        raise UserError(f"--recipe {name}: there is {', '.join(RECIPES)}")
    return RECIPES[name]


def schedule(recipe: Recipe, total_steps: int) -> Callable[[int], float]:
    """Learning rate by step, 0 to total_steps - 1."""
    warm = max(1, round(recipe.warmup * total_steps))

    def rate(step: int) -> float:
        if step < warm:
            if recipe.shape == "steps":
                return recipe.peak * recipe.warmup_factor
            return recipe.peak * (recipe.warmup_factor + (1 - recipe.warmup_factor) * (step + 1) / warm)
        if recipe.shape == "steps":
            return recipe.peak * 0.1 ** sum(step >= drop * total_steps for drop in recipe.drops)
        # Linear to zero: as good as a cosine in short runs, and the last step still moves.
        return recipe.peak * (total_steps - step) / max(total_steps - warm, 1)

    return rate
