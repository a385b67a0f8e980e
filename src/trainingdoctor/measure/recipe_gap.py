"""This training against the known-good recipe of its model family and data set, item by item."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.augmentation import AugmentationPairs
from trainingdoctor.measure.batches import BatchSize
from trainingdoctor.measure.criterion import smoothing_of
from trainingdoctor.measure.family import ModelFamily
from trainingdoctor.measure.known_data import KnownData
from trainingdoctor.measure.optimizers import Group
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.recipes import Recipe, known_recipes

# Numbers within this factor of the recipe's count as the same: published variants differ by as much.
FACTOR = 2.0
# Batches four times as large are what large-batch recipes call another regime.
BATCH_FACTOR = 4.0


@dataclass(frozen=True)
class Difference:
    """One item. here, there: in words.  points: accuracy that it cost where it was measured, None where nobody did."""

    item: str
    here: str
    there: str
    points: float | None
    source: str | None


@dataclass(frozen=True)
class RecipeGap:
    """The recipe and how this training differs from it. reached: percent in the literature, None where unknown."""

    recipe: str
    source: str
    code: str
    family: str
    dataset: str | None
    reached: float | None
    reached_source: str | None
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class RecipeRate:
    """The peak rate against the recipe's at the same batch size. ratio: this one over the scaled one."""

    peak: float
    scaled: float
    batch_size: int
    recipe: str
    recipe_rate: float
    recipe_batch: int

    @property
    def ratio(self) -> float:
        """1 when the rate is the recipe's, scaled with the batch."""
        return self.peak / self.scaled


@dataclass(frozen=True)
class _Here:
    """What is compared; None where it could not be measured."""

    groups: tuple[Group, ...]
    trace: ScheduleTrace | None
    epochs: int | None
    batch: BatchSize | None
    pairs: AugmentationPairs | None
    smoothing: float

    @property
    def leading(self) -> Group:
        return self.groups[self.trace.group if self.trace and self.trace.group < len(self.groups) else 0]


@evidence(cost="probe", optional=("known_dataset",))
def known_recipe(model_family: ModelFamily, pretraining: Pretraining, known_dataset: KnownData | None) -> Recipe:
    """The recipe to compare with; Unavailable where none is known."""
    dataset = known_dataset.name if known_dataset else None
    recipe = known_recipes().recipe(model_family.name, dataset, pretraining.done)
    if recipe is None:
        start = "trained weights" if pretraining.done else "scratch"
        raise Unavailable(f"no recipe is known for {model_family.title} from {start} on {dataset or 'this data set'}")
    return recipe


@evidence(
    cost="probe",
    optional=("known_dataset", "schedule_trace", "epochs", "batch_size", "augmentation_pairs", "criterion"),
)
def recipe_gap(
    known_recipe: Recipe,
    model_family: ModelFamily,
    parameter_groups: tuple[Group, ...],
    known_dataset: KnownData | None,
    schedule_trace: ScheduleTrace | None,
    epochs: int | None,
    batch_size: BatchSize | None,
    augmentation_pairs: AugmentationPairs | None,
    criterion: Any,
) -> RecipeGap:
    """List what differs from the recipe, each item with what it costs where somebody measured that."""
    smoothing = smoothing_of(criterion)
    here = _Here(parameter_groups, schedule_trace, epochs, batch_size, augmentation_pairs, smoothing)
    dataset = known_dataset.name if known_dataset else None
    table = known_recipes()
    reached = table.accuracy(model_family.name, dataset, model_family.parameters)
    differences = []
    for item, mine, theirs, kind in _differences(here, known_recipe):
        cost = table.cost(item, kind, model_family.name, dataset)
        points, source = (cost.points, cost.source) if cost else (None, None)
        differences.append(Difference(item, mine, theirs, points, source))
    return RecipeGap(
        recipe=known_recipe.name,
        source=known_recipe.source,
        code=known_recipe.code,
        family=model_family.title,
        dataset=dataset,
        reached=reached[0] if reached and not known_recipe.pretrained else None,
        reached_source=reached[1] if reached else None,
        differences=tuple(differences),
    )


@evidence(cost="probe")
def recipe_rate(
    known_recipe: Recipe, parameter_groups: tuple[Group, ...], schedule_trace: ScheduleTrace, batch_size: BatchSize
) -> RecipeRate:
    """The peak rate next to the recipe's, scaled with the batch; Unavailable for another kind of optimizer."""
    leading = parameter_groups[schedule_trace.group]
    if known_recipe.lr is None or known_recipe.batch_size is None or leading.adaptive != known_recipe.adaptive:
        raise Unavailable(f"{known_recipe.name} gives no rate for {leading.optimizer}")
    samples = batch_size.samples * batch_size.devices
    rate, peak = known_recipe.lr[1], _momentum_free(schedule_trace, leading, known_recipe)
    return RecipeRate(
        peak, _scaled(rate, samples, known_recipe), samples, known_recipe.name, rate, known_recipe.batch_size
    )


def _scaled(rate: float, samples: int, recipe: Recipe) -> float:
    """In proportion to the batch for SGD (Goyal et al. 2017), to its root for adaptive optimizers."""
    share = samples / (recipe.batch_size or samples)
    return rate * (share**0.5 if recipe.adaptive else share)


def _momentum_free(trace: ScheduleTrace, group: Group, recipe: Recipe) -> float:
    """The peak as it would be with the recipe's momentum, which multiplies the rate of SGD by 1 / (1 - momentum)."""
    momentum = group.momentum if trace.momentum is None else trace.momentum
    if recipe.momentum is None or group.momentum is None or momentum is None or not momentum < 1:
        return trace.peak
    return trace.peak * (1 - recipe.momentum) / (1 - momentum)


Row = tuple[str, str, str, str]


def _differences(here: _Here, recipe: Recipe) -> Iterator[Row]:
    """(item, what is here, what is there, what the table of costs calls this)."""
    yield from _of_augmentation(here, recipe)
    same_kind = recipe.optimizer is None or here.leading.adaptive == recipe.adaptive
    if not same_kind:
        yield (
            "optimizer",
            here.leading.optimizer,
            recipe.optimizer or "",
            "adaptive" if here.leading.adaptive else "SGD",
        )
    else:
        yield from _of_optimizer(here, recipe)
    yield from _of_schedule(here, recipe)
    yield from _of_length(here, recipe)
    if recipe.label_smoothing and not here.smoothing:
        yield "label smoothing", "none", f"{recipe.label_smoothing:g}", "none"


def _of_augmentation(here: _Here, recipe: Recipe) -> Iterator[Row]:
    if here.pairs is None or not here.pairs.image or not recipe.augmentation:
        return
    lacking = [kind for kind in recipe.augmentation if kind not in here.pairs.kinds]
    # What cannot be told apart ("other") may well be a crop with scaling or a policy of many kinds.
    if lacking and "other" not in here.pairs.kinds:
        mine = ", ".join(here.pairs.kinds) or "none"
        yield "augmentation", mine, ", ".join(recipe.augmentation), "none" if not here.pairs.kinds else mine


def _of_optimizer(here: _Here, recipe: Recipe) -> Iterator[Row]:
    group, batch = here.leading, here.batch
    if recipe.lr and here.trace and not here.trace.peak > 0:
        return
    if recipe.lr and here.trace and batch:
        low, high = (_scaled(rate, batch.samples * batch.devices, recipe) for rate in recipe.lr)
        if not low / FACTOR <= _momentum_free(here.trace, group, recipe) <= high * FACTOR:
            at = f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"
            yield "peak rate", f"{here.trace.peak:.2g}", f"{at} at this batch size", ""
    if recipe.momentum and not group.momentum and not group.adaptive:
        yield "momentum", "none", f"{recipe.momentum:g}", "none"
    decay = max(g.weight_decay for g in here.groups)
    if recipe.weight_decay:
        low, high = recipe.weight_decay
        if not low / FACTOR <= decay <= high * FACTOR:
            said = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            yield "weight decay", f"{decay:g}" if decay else "none", said, "none" if not decay else ""


def _of_schedule(here: _Here, recipe: Recipe) -> Iterator[Row]:
    trace = here.trace
    if trace is None or trace.adaptive or trace.averages or not recipe.schedule or not trace.peak > 0:
        return
    share = trace.final / trace.peak
    if trace.constant:
        yield "schedule", f"constant {trace.peak:g}", recipe.schedule, "none"
    elif recipe.ends and share > 10 * recipe.ends:
        yield "schedule", f"ends at {share:.0%} of the peak", recipe.schedule, ""
    if recipe.warmup and trace.initial > 0.5 * trace.peak:
        yield "warm-up", "none", recipe.schedule, "none"


def _of_length(here: _Here, recipe: Recipe) -> Iterator[Row]:
    if recipe.epochs and here.epochs and here.epochs < recipe.epochs / FACTOR:
        yield "epochs", str(here.epochs), str(recipe.epochs), ""
    samples = here.batch.samples * here.batch.devices if here.batch else 0
    if recipe.batch_size and samples:
        ratio = samples / recipe.batch_size
        if not 1 / BATCH_FACTOR < ratio < BATCH_FACTOR:
            yield "batch size", str(samples), str(recipe.batch_size), ""
