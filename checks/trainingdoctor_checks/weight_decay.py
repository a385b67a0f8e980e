"""Weight decay: none, too much, too little, in the wrong place. Judged by products, not by the number alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.decay import Decay, NormDecay
    from trainingdoctor.measure.layers import Architecture
    from trainingdoctor.measure.optimizers import Group
    from trainingdoctor.measure.pretraining import Pretraining

HE = "He et al. 2015, arXiv:1512.03385, section 4.2: weight decay 1e-4"
BAGS = "He et al. 2019, Bag of Tricks, arXiv:1812.01187, section 3.1"


@check("decay.missing", references=(HE,))
def missing(
    decay: Decay,
    architecture: Architecture,
    pretraining: Pretraining,
    *,
    long_run: int = 30,
    many: int = 200_000,
) -> Verdicts:
    """No weight decay, and no other regularization, on a small data set.

    What it does: reads weight_decay of every group; looks for dropout and label smoothing as substitutes.
    Why it costs accuracy: a net with more parameters than samples memorizes them; decay also keeps the effective rate
    of normalized layers from dying as their weights grow.
    Remedy: weight_decay=1e-4 to 5e-4 with SGD, 0.01 to 0.1 with AdamW.
    Thresholds: warns for deep convolutional nets (10 convolutions or more) that classify, trained from scratch for 30
    epochs and more on up to 200,000 samples. Image restoration, segmentation, generative models (Adam without decay)
    and fine-tuning are healthy without: info.
    Measured: no measurement yet.
    """
    d = decay
    if d.strongest > 0:
        yield Note(f"weight decay {d.strongest:g}")
        return
    small = d.samples is None or d.samples <= many
    known_long = d.epochs is not None and d.epochs >= long_run
    alone = d.dropouts == 0 and d.label_smoothing == 0
    needed = architecture.is_deep_convolutional and d.classifies and not pretraining.done
    say = warning if needed and small and known_long and alone else info
    value = "0.05" if d.decoupled else "5e-4" if d.optimizer == "SGD" else "1e-4"
    samples = f"{d.samples:,} samples" if d.samples else "the training set"
    yield say(
        f"No parameter group has weight decay; {architecture.parameters:,} parameters see {samples}"
        + (f" for {d.epochs} epochs." if d.epochs else "."),
        f"weight_decay={value} in the optimizer",
        where="optimizer.param_groups[0].weight_decay",
        samples=d.samples,
        epochs=d.epochs,
    )


@check(
    "decay.too_strong",
    explains=("loss.not_learning", "lr.too_high"),
    references=("van Laarhoven 2017, arXiv:1706.05350",),
)
def too_strong(decay: Decay, *, epochs: float = 0.6, steps: float = 1000.0, usual: float = 5e-3) -> Verdicts:
    """The weights are forgotten faster than the data is seen.

    What it does: computes the time in which decay alone shrinks a weight by e: 1 / (rate x weight decay), the rate at
    the schedule's peak and multiplied by 1 / (1 - momentum) for SGD, against the length of an epoch.
    Why it costs accuracy: a net that forgets within half an epoch averages over less than the data set.
    Remedy: the weight decay that forgets over about 5 epochs, given in the finding.
    Thresholds: under 0.6 epochs and under 1000 steps. The recipe of He et al. forgets in 10,000 steps (25 epochs),
    decay 5e-4 in 2,000 (5 epochs), ViT's 0.3 in about 1,100 (3.6 epochs); a tuned ten-epoch recipe in 75 steps (1.5
    epochs).
    Measured: a CNN of three convolutions on 8,000 images of CIFAR-10 (16x16, 6 epochs, 2 seeds; 58.8 % with BatchNorm,
    53.8 % without): forgetting in 5.3 epochs costs nothing, in 1.6 nothing, in 0.53 it costs 6.1 points (8.8 without
    BatchNorm), in 0.16 it costs 21.6 (27.1). The same net with BatchNorm (rate 0.05, batches of 64, average
    pooling; 57.9 %), where the decay of normalizations alone is larger: 0.64 epochs cost 2.2 points, 0.16 cost 9.5.
    """
    d = decay
    if d.norms is not None and d.steps_per_epoch:
        yield from _of_norms(d.norms, d.steps_per_epoch, epochs, steps)
    if d.forgets_in_steps is None or d.steps_per_epoch is None:
        return
    in_epochs = d.forgets_in_steps / d.steps_per_epoch
    if in_epochs < epochs and d.forgets_in_steps < steps:
        milder = in_epochs / 5
        # The product is too large. A decay within the published range leaves the rate to blame (lr.too_high leads then).
        own = d.strongest > (1.0 if d.decoupled else usual)
        say = critical if own and in_epochs < epochs / 5 else warning
        yield say(
            f"Weight decay {d.strongest:g} at a rate of {d.rate:g} shrinks the weights by e in {d.forgets_in_steps:.0f} steps, "
            f"{in_epochs:.2g} epochs: they forget the data before they have seen it.",
            f"weight_decay={d.strongest * milder:.1g} (forgets over about 5 epochs)"
            if own
            else f"lr={d.rate * milder:.1g}, or weight_decay={d.strongest * milder:.1g}, forgets over about 5 epochs; such a decay is "
            "usual, so the rate is the likelier mistake.",
            where=d.place,
            confidence=0.92 if own else 0.65,
            forgets_in_epochs=in_epochs,
        )
    else:
        yield Note(f"decay forgets in {d.forgets_in_steps:.0f} steps, {in_epochs:.2g} epochs")


def _of_norms(norms: NormDecay, per_epoch: int, epochs: float, steps: float) -> Verdicts:
    in_epochs = norms.forgets_in_steps / per_epoch
    if in_epochs < epochs and norms.forgets_in_steps < steps:
        yield warning(
            f"Weight decay {norms.decay:g} on normalization layers and biases alone shrinks their scales by e in "
            f"{norms.forgets_in_steps:.0f} steps, {in_epochs:.2g} epochs.",
            "weight_decay=0 for parameters of one dimension",
            where=norms.place,
            forgets_in_epochs=in_epochs,
        )


@check("decay.too_weak", references=(HE,))
def too_weak(
    decay: Decay,
    architecture: Architecture,
    pretraining: Pretraining,
    *,
    least: float = 0.1,
    long_run: int = 30,
    published: float = 2e-5,
) -> Verdicts:
    """A weight decay that does nothing over the whole run.

    What it does: sums rate x weight decay over the simulated run (SGD's rate multiplied by 1 / (1 - momentum)).
    Why it costs accuracy: as no weight decay at all.
    Remedy: weight_decay=1e-4 to 5e-4 with SGD.
    Thresholds: a sum below 0.1 (weights lose under a tenth); the recipe of He et al. reaches 3.6. Warns for deep
    convolutional nets from scratch on SGD over 30 epochs and more, with a number below every published one
    (torchvision's 600-epoch ResNet-50 uses 2e-5); short runs and fine-tuning are often below and healthy: info.
    Measured: no measurement yet.
    """
    d = decay
    if d.total is None or d.strongest == 0 or d.total >= least:
        return
    from_scratch = d.optimizer == "SGD" and architecture.is_deep_convolutional and not pretraining.done
    say = warning if from_scratch and (d.epochs or 0) >= long_run and d.strongest < published else info
    yield say(
        f"Weight decay {d.strongest:g} takes {d.total:.1%} off the weights over the whole run: it does nothing.",
        f"weight_decay={min(d.strongest / max(d.total, 1e-9) * 3.6, 5e-4):.1g}",
        where=d.place,
        total=d.total,
    )


@check("decay.on_norm_and_bias", explains=("decay.missing",), references=(BAGS,))
def on_norm_and_bias(parameter_groups: tuple[Group, ...]) -> Verdicts:
    """Weight decay also pulls on biases and on the scale and shift of normalization layers, or on nothing else.

    What it does: counts the one-dimensional parameters in groups with weight decay, and the others.
    Why it costs accuracy: a little at most, in large-batch trainings (He et al. 2019, section 3.1). Where these alone are decayed, and no
    weights are, the condition that tells them apart is the wrong way round: the net has no weight decay.
    Remedy: two parameter groups, without decay for parameters of one dimension.
    Thresholds: an info; the original recipes decay everything. A warning where the groups with decay hold no weights and those without do.
    Measured: no measurement yet.
    """
    decaying = [g for g in parameter_groups if g.weight_decay > 0]
    decayed = sum(g.norms_and_biases for g in decaying)
    weights = sum(g.weights for g in parameter_groups)
    if decayed and weights and not any(g.weights for g in decaying):
        yield warning(
            f"Only biases and normalization layers are decayed ({decayed:,} numbers), and none of the {weights:,} weights: the condition is the wrong "
            "way round.",
            "params = [{'params': [p for p in model.parameters() if p.ndim > 1]}, "
            "{'params': [p for p in model.parameters() if p.ndim <= 1], 'weight_decay': 0.0}]",
            where=tuple(g.place for g in decaying),
            numbers=decayed,
        )
    elif decayed:
        yield info(
            f"{decayed:,} numbers of biases and normalization layers are decayed along with the weights.",
            "params = [{'params': [p for p in model.parameters() if p.ndim > 1]}, "
            "{'params': [p for p in model.parameters() if p.ndim <= 1], 'weight_decay': 0.0}]",
            where=tuple(g.place for g in parameter_groups if g.weight_decay > 0 and g.norms_and_biases),
            numbers=decayed,
        )


CHECKS = (missing, too_strong, too_weak, on_norm_and_bias)
