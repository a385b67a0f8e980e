"""What each threshold is compared with, measured on every training of the bench: where healthy ends and sick begins.

Each quantity is a small check of its own under `bench.`, added to the registry through the door that plug-ins use; it asks for
the same evidence as the check whose threshold it is, and yields the number.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Iterable
from typing import Any

from trainingdoctor import Check, check, info
from trainingdoctor.registry import Registry, load_registry
from trainingdoctor_checks import initialization, learning_rate

Row = dict[str, Any]
QUANTITIES: dict[str, Check] = {}
PREFIX = "bench."
# A check's code has one dot: those of a threshold are written so.
JOIN = "__"


def quantity(threshold: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register what `code.threshold` is compared with; None where there is nothing to compare."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def ask(*evidence: Any) -> Any:
            value = function(*evidence)
            if value is not None and math.isfinite(value):
                yield info("", "", value=float(value))

        QUANTITIES[threshold] = check(f"{PREFIX}{threshold.replace('.', JOIN)}", cost="train")(ask)
        return function

    return wrap


def registry() -> Registry:
    """The installed checks and the quantities."""
    found = load_registry()
    found.add(QUANTITIES.values())
    return found


def measured(report: Any) -> dict[str, float]:
    """The quantities in a report, by threshold."""
    found = [f for r in report.results for f in r.findings if f.code.startswith(PREFIX)]
    return {f.code.removeprefix(PREFIX).replace(JOIN, "."): f.evidence["value"] for f in found}


def distribution(rows: Iterable[Row]) -> list[tuple[str, Any, list[float], list[float]]]:
    """Per threshold: its default, the values on healthy trainings, and those where its code was injected."""
    checks = load_registry().checks
    table: dict[str, tuple[list[float], list[float]]] = {}
    for row in rows:
        right = {code for codes in row["right"] for code in codes}
        for name, value in row.get("quantities", {}).items():
            healthy, sick = table.setdefault(name, ([], []))
            if not right:
                healthy.append(value)
            elif name.rpartition(".")[0] in right:
                sick.append(value)
    known = {n: checks[n.rpartition(".")[0]].thresholds[n.rpartition(".")[2]].default for n in table}
    return [(name, known[name], *table[name]) for name in sorted(table)]


def lines(rows: Iterable[Row]) -> list[str]:
    """The distributions as a Markdown table: least, median, most."""
    head = [
        "| threshold | is | healthy: least, median, most (n) | sick with its code: least, median, most (n) |",
        "|---|---|---|---|",
    ]
    return [*head, *(f"| `{n}` | {t:g} | {_range(h)} | {_range(s)} |" for n, t, h, s in distribution(rows))]


def _range(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{min(values):.3g}, {statistics.median(values):.3g}, {max(values):.3g} ({len(values)})"


@quantity("batchnorm.momentum.most")
def _(batchnorm_layers: Any) -> Any:
    return max((x.momentum for x in batchnorm_layers.layers if x.momentum is not None), default=None)


@quantity("batchnorm.small_batch.least")
def _(batchnorm_layers: Any, batch_size: Any) -> Any:
    return batch_size.samples


@quantity("batchnorm.statistics_stale.ratio")
def _(running_statistics: Any) -> Any:
    return running_statistics.loss / running_statistics.fresh_loss


@quantity("normalization.wrong_statistics.offset")
def _(train_images: Any) -> Any:
    return max(abs(m) / max(d, 1e-9) for m, d in zip(train_images.mean, train_images.std, strict=True))


@quantity("normalization.wrong_statistics.large")
def _(train_images: Any) -> Any:
    return max(train_images.std)


@quantity("normalization.train_eval_mismatch.ratio")
def _(train_images: Any, val_images: Any) -> Any:
    pairs = zip(train_images.span, val_images.span, strict=True)
    return max(max(a, b) / max(min(a, b), 1e-9) for a, b in pairs)


@quantity("normalization.train_eval_mismatch.shift")
def _(train_images: Any, val_images: Any) -> Any:
    t, v = train_images, val_images
    centres = [abs((a + b) - (c + d)) / 2 for a, b, c, d in zip(t.low, t.high, v.low, v.high, strict=True)]
    return max(c / max(s, 1e-9) for c, s in zip(centres, v.std, strict=True))


@quantity("data.imbalance.most")
def _(balance: Any) -> Any:
    return balance.ratio


@quantity("data.not_shuffled.sorted_share")
def _(sample_order: Any) -> Any:
    seen, expected = sample_order.classes_per_batch, sample_order.expected_classes
    return seen / expected if seen is not None and expected else None


@quantity("lr.too_high.stuck")
def _(rate_trials: Any) -> Any:
    return rate_trials.own.end / rate_trials.chance if rate_trials.chance else None


@quantity("lr.too_high.spike")
def _(rate_trials: Any) -> Any:
    return rate_trials.own.worst / rate_trials.initial if rate_trials.initial > 0 else None


@quantity("lr.too_high.published")
def _(rate_trials: Any) -> Any:
    return None if rate_trials.adaptive else learning_rate._scaled(rate_trials)


@quantity("lr.too_low.share")
def _(rate_trials: Any) -> Any:
    higher = [x for x in rate_trials.trials if x.factor >= 100 and not x.diverged]
    if not higher or rate_trials.own.diverged:
        return None
    possible = max(learning_rate._progress(x, rate_trials) for x in higher)
    return learning_rate._progress(rate_trials.own, rate_trials) / possible if possible > 0 else None


@quantity("schedule.decays_too_early.most")
def _(schedule_trace: Any) -> Any:
    return schedule_trace.share_below(0.01) if schedule_trace.scheduler else None


@quantity("schedule.ends_high.most")
def _(schedule_trace: Any) -> Any:
    return schedule_trace.final / schedule_trace.peak if schedule_trace.scheduler and schedule_trace.peak > 0 else None


@quantity("init.scale.typical")
def _(reference_init: Any) -> Any:
    ratios = reference_init.scale_ratios()
    return statistics.median(ratios.values()) if len(ratios) > 1 else None


@quantity("init.gradient_flow.factor")
def _(reference_init: Any) -> Any:
    own, reference = initialization._slope(reference_init.own), initialization._slope(reference_init.reference)
    return max(own / reference, reference / own) if own and reference else None


@quantity("init.dead_relu.most")
def _(reference_init: Any) -> Any:
    return max((p.zero_rows for p in reference_init.own.weights[:-1]), default=None)


@quantity("init.identical_units.most")
def _(one_step: Any) -> Any:
    return max((p.duplicate_rows for p in one_step.weights if not p.constant), default=None)


@quantity("init.logits_scale.times")
def _(reference_init: Any) -> Any:
    own, reference = reference_init.own.logits_std, reference_init.reference.logits_std
    return own / reference if own is not None and reference else None


@quantity("decay.too_strong.epochs")
def _(decay: Any) -> Any:
    steps, epoch = decay.forgets_in_steps, decay.steps_per_epoch
    return steps / epoch if steps is not None and epoch else None


@quantity("decay.too_strong.steps")
def _(decay: Any) -> Any:
    return decay.forgets_in_steps


@quantity("clip.too_small.most")
def _(one_step: Any, grad_clip: Any) -> Any:
    return one_step.gradient_norm / grad_clip


@quantity("optimizer.epsilon.most")
def _(parameter_groups: Any) -> Any:
    return max((g.eps for g in parameter_groups if g.eps is not None and g.betas), default=None)


@quantity("optimizer.betas.most")
def _(parameter_groups: Any) -> Any:
    return max(g.betas[0] if g.betas else g.momentum or 0.0 for g in parameter_groups)


@quantity("loss.not_learning.least")
def _(overfit: Any) -> Any:
    return overfit.progress


@quantity("model.batch_mixing.most")
def _(outputs: Any) -> Any:
    return outputs.mixing


@quantity("model.mode_dependent.most")
def _(outputs: Any) -> Any:
    return outputs.repeat


@quantity("dropout.too_high.most")
def _(dropout_layers: Any) -> Any:
    return max(x.p for x in dropout_layers)


@quantity("epochs.too_few.least")
def _(run_length: Any) -> Any:
    return run_length.epochs
