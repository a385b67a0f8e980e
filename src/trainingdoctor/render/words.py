"""What pictures show, in words, for who cannot see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

Known = Mapping[str, Any]


def of_draws(known: Known) -> str:
    """Of the same image drawn again."""
    draws = known["example_draws"]
    told = ["come out differently" if varies else "are all the same" for varies in draws.varies]
    said = f"{len(draws.training)} draws of one training image {told[0]}"
    return f"{said}." if draws.evaluation is None else f"{said}; those of one evaluation image {told[1]}."


def of_pairs(pairs: Any) -> str:
    """Of samples drawn several times."""
    kinds = ", ".join(f"{name} in {share:.0%}" for name, share in pairs.kinds.items())
    return f"{pairs.samples} samples drawn {pairs.draws} times each: {kinds or 'all draws of a sample are the same'}."


def of_step(step: Any) -> str:
    """Of one training step."""
    first = step.first_nonfinite
    broken = f"; the first output that is not finite is that of {first}" if first else ""
    return f"A step on {step.batch_size} samples: loss {step.loss:.3g}, gradient norm {step.gradient_norm:.3g}{broken}."


def of_loop(known: Known) -> str:
    """Of the observed loop."""
    trace = known["loop_trace"]
    times = Counter(moment.kind for moment in trace.moments)
    passes = [f"{len(trace.of(kind))} passes of {kind}" for kind in ("training", "evaluation")]
    counted = (
        f"{times['forward_train']} forward passes in train mode, {times['forward_eval']} in eval mode, "
        f"{times['backward']} backward, {_often(times['zero_grad'])} cleared gradients, "
        f"{times['step']} optimizer steps, {_often(times['scheduler'])} scheduler steps"
    )
    return f"What was seen of {' and '.join(passes)}: {counted}."


def _often(count: int) -> str:
    return str(count) if count else "no"


def of_curve(known: Known) -> str:
    """Of a range test."""
    curve = known["lr_curve"]
    if curve.stable is None:
        return f"The loss fell at no rate from {curve.rates[0]:.2g} to {curve.rates[-1]:.2g}; the run's own is {curve.rate:.3g}."
    low, edge = curve.stable
    return f"The loss falls at rates from {low:.2g} to {edge:.2g}; the run's own, {curve.rate:.3g}, is {curve.place} this interval."


def of_trials(known: Known) -> str:
    """Of trial trainings."""
    trials = known["rate_trials"]
    ends = ", ".join(
        f"{trials.peak * t.factor:.2g} {'diverges' if t.diverged else f'ends at {t.end:.2f}'}"
        for t in sorted(trials.trials, key=lambda t: t.factor)
    )
    said = f"Losses of {trials.steps} steps of training, which begin at {trials.initial:.2f}: {ends}"
    if trials.stable is None:
        return f"{said}. At none of these rates the loss falls without shooting up; the run's own peak is {trials.peak:.3g}."
    low, high = trials.stable
    span = f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"
    return f"{said}. At {span} it falls without shooting up; the run's own peak is {trials.peak:.3g}."


def of_schedule(known: Known) -> str:
    """Of a schedule."""
    trace = known["schedule_trace"]
    if trace.constant:
        return f"The learning rate is {trace.peak:.3g} in all {trace.epochs} epochs."
    return (
        f"Over {trace.epochs} epochs the learning rate begins at {trace.initial:.3g}, peaks at {trace.peak:.3g} and ends at "
        f"{trace.final:.3g}."
    )


def of_depth(known: Known) -> str:
    """Of signal and gradient by depth."""
    reference = known["reference_init"]
    ratios = reference.scale_ratios()
    worst = max(ratios, key=lambda name: max(ratios[name], 1 / ratios[name]), default=None)
    said = f"The outputs of {len(ratios) + 1} convolutions and linear layers, beside the same net freshly initialized"
    if worst is None or ratios[worst] == 1:
        return f"{said}: all within its band. Below, the norms of their gradients."
    return f"{said}; furthest off is {worst}, at {ratios[worst]:.2g} times what it should be. Below, the norms of their gradients."


def of_batchnorm(known: Known) -> str:
    """Of BatchNorm's statistics."""
    statistics = known["batchnorm_statistics"]
    worst = max(statistics.layers, key=lambda layer: layer.drift)
    batches = f"{statistics.batches} training batches of {statistics.batch_size}"
    which = (
        "as the model came"
        if statistics.replayed is None
        else f"as {statistics.replayed} steps on these batches would leave them, with the weights held"
    )
    return (
        f"Running statistics of {len(statistics.layers)} layers, {which}, against those over {batches}. "
        f"Furthest off is {worst.name}: its running means miss by {worst.drift:.2g} standard deviations."
    )


def of_classes(known: Known) -> str:
    """Of class counts."""
    targets = known["targets"]
    counts = sorted(targets.counts.values())
    of = "the whole training set" if targets.complete else "the drawn batches"
    each = f"{counts[0]:,} samples" if counts[0] == counts[-1] else f"from {counts[0]:,} to {counts[-1]:,} samples"
    return f"{len(counts)} classes of {each} in {of}."


def of_gap(gap: Any) -> str:
    """Of the differences from a recipe."""
    reached = f", which reaches {gap.reached:.4g} %" if gap.reached is not None else ""
    count = len(gap.differences)
    return f"{count} difference{'s' if count > 1 else ''} from {gap.recipe}, known-good for {gap.family}{reached} ({gap.source})."
