"""The whole picture: this training against the known-good recipe of its model family and data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, info

if TYPE_CHECKING:
    from trainingdoctor.measure.recipe_gap import Difference, RecipeGap, RecipeRate

# Where an item is to be changed.
PLACES = {
    "augmentation": "train_loader",
    "peak rate": "optimizer.param_groups[0].lr",
    "momentum": "optimizer.param_groups[0].momentum",
    "weight decay": "optimizer.param_groups[0].weight_decay",
    "schedule": "scheduler",
    "warm-up": "scheduler",
    "batch size": "train_loader.batch_size",
    "label smoothing": "criterion.label_smoothing",
}
GOYAL = "Goyal et al. 2017, arXiv:1706.02677, section 2.1 (linear scaling)"


@check("recipe.gap", cost="probe")
def gap(recipe_gap: RecipeGap) -> Verdicts:
    """How this training differs from the recipe that is known to work for its model and data set.

    What it does: recognizes the family of the model by its layers and the data set by its class or its numbers, looks
    up the recipe (src/trainingdoctor/recipes.toml), and lists what differs: augmentation, optimizer, peak rate at this
    batch size, momentum, weight decay, schedule, epochs, batch size, label smoothing.
    Why it costs accuracy: each line carries the points that the difference cost where somebody published or measured
    them, and says so where nobody did.
    Remedy: the recipe, to paste. Differences that are meant can stay.
    Thresholds: numbers within a factor of 2 of the published ones, and batches within 4, count as the same; the peak
    rate is scaled with the batch and the momentum first. Always an info: other recipes work, too.
    Measured: the points in the lines, each with its source.
    """
    g = recipe_gap
    if not g.differences:
        yield Note(f"{g.family} is trained as in {g.recipe}{_reached(g)}")
        return
    lines = list(_table(g.differences))
    where = f" on {g.dataset}" if g.dataset else ""
    count = f"{len(lines)} difference{'s' if len(lines) > 1 else ''}"
    yield info(
        "\n".join([f"{count} from {g.recipe}, the known-good recipe for {g.family}{where}{_reached(g)}:", *lines]),
        g.code,
        where=tuple(dict.fromkeys(PLACES.get(d.item, d.item) for d in g.differences)),
        recipe=g.recipe,
        source=g.source,
        reached=g.reached,
        differences=[asdict(d) for d in g.differences],
    )


def _reached(gap: RecipeGap) -> str:
    return f" ({gap.reached:g} %)" if gap.reached is not None else ""


def _table(differences: tuple[Difference, ...]) -> Iterator[str]:
    widths = [max(len(getattr(d, name)) for d in differences) for name in ("item", "here", "there")]
    for d in differences:
        cells = [text.ljust(width) for text, width in zip((d.item, d.here, d.there), widths, strict=True)]
        yield f"      {cells[0]}  here {cells[1]}  there {cells[2]}  {_cost(d)}"


def _cost(difference: Difference) -> str:
    if difference.points is None:
        return "cost not measured"
    return f"cost {difference.points:g} points ({(difference.source or '').partition(', ')[0]})"


@check("lr.not_scaled_with_batch", cost="probe", references=(GOYAL,))
def not_scaled_with_batch(recipe_rate: RecipeRate, *, batch: float = 4.0, same: float = 1.5) -> Verdicts:
    """The batch was changed, and the rate was not.

    What it does: compares batch size and peak rate with those of the known-good recipe.
    Why it costs accuracy: with k times the batch there are k times fewer steps, and each averages away k times more
    noise; at the same rate the run ends before it has moved as far. With smaller batches the noise is larger.
    Remedy: the rate in proportion to the batch (to its root for Adam), with a warm-up from 8 times on.
    Thresholds: a batch 4 times as large or as small as the recipe's, with its rate within a factor of 1.5. An info:
    up to some size both work, and the best rate is a matter of the model (Shallue et al. 2019, arXiv:1811.03600).
    Measured: no measurement yet.
    """
    r = recipe_rate
    ratio = r.batch_size / r.recipe_batch
    kept = 1 / same <= r.peak / r.recipe_rate <= same
    if kept and not 1 / batch < ratio < batch:
        yield info(
            f"The batch is {r.batch_size} and the peak rate {r.peak:g}; {r.recipe} uses {r.recipe_rate:g} at {r.recipe_batch}.",
            f"lr={r.scaled:.2g} for batches of {r.batch_size}"
            + (", after some epochs of warm-up" if ratio > 4 else ""),
            where=("optimizer.param_groups[0].lr", "train_loader.batch_size"),
            ratio=ratio,
            scaled=r.scaled,
        )
    else:
        yield Note(f"rate {r.peak:g} at batch {r.batch_size}; {r.recipe} scaled to it: {r.scaled:.2g}")


CHECKS = (gap, not_scaled_with_batch)
