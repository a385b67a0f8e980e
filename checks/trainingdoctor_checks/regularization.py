"""Dropout, regularization as a whole, and the length of the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.layers import Architecture, DropoutLayer
    from trainingdoctor.measure.one_step import OneStep
    from trainingdoctor.measure.penalty import Penalty
    from trainingdoctor.measure.pretraining import Pretraining
    from trainingdoctor.measure.regularizers import Regularizers
    from trainingdoctor.measure.run_length import RunLength

SHIFT = "Li et al. 2019, Understanding the Disharmony between Dropout and Batch Normalization, arXiv:1801.05134"
VLR = "van Laarhoven 2017, arXiv:1706.05350"
SRIVASTAVA = "Srivastava et al. 2014, JMLR 15, section A.4: p of 0.5 in hidden layers, 0.2 at the input"


@check("dropout.too_high", explains=("loss.not_learning", "init.*"), references=(SRIVASTAVA,))
def too_high(dropout_layers: tuple[DropoutLayer, ...], *, most: float = 0.7, kills: float = 0.95) -> Verdicts:
    """Dropout removes most of the signal.

    What it does: reads p, which in PyTorch is the share that is REMOVED (some papers and frameworks give the share
    kept).
    Why it costs accuracy: too little is left to learn from in the length of the run.
    Remedy: p=0.5 before the classifier, 0.1 to 0.3 elsewhere.
    Thresholds: above 0.7 warns, from 0.95 on critical; published nets use up to 0.5, few 0.6 to 0.7.
    Measured: no measurement yet.
    """
    high = [x for x in dropout_layers if x.p > most]
    if high:
        p = max(x.p for x in high)
        say = critical if p >= kills else warning
        yield say(
            f"{len(high)} dropout layers remove up to {p:.0%} of their input.",
            f"p={min(0.5, round(1 - p, 2)):g} (p is the share that is removed)",
            where=tuple(x.name for x in high),
            p=p,
        )
    else:
        yield Note(f"dropout up to {max(x.p for x in dropout_layers):g}")


@check("dropout.before_batchnorm", cost="probe", explains=("loss.not_learning", "lr.too_high"), references=(SHIFT,))
def before_batchnorm(one_step: OneStep, dropout_layers: tuple[DropoutLayer, ...], *, most: float = 0.5) -> Verdicts:
    """Dropout before BatchNorm shifts the variance between training and evaluation.

    What it does: follows the order in which modules ran; a dropout layer with a BatchNorm layer after it.
    Why it costs accuracy: dropout raises the variance that BatchNorm remembers, and is gone at evaluation.
    Remedy: dropout after the last BatchNorm layer, before the classifier.
    Thresholds: p of 0.5 and more between convolutions (on maps of more than one pixel) warns. WideResNet has 0.3 inside
    its blocks, VGG nets for CIFAR up to 0.4 between convolutions and 0.5 before a BatchNorm in the classifier, and the
    All-CNN of AugMix and outlier exposure (public repositories) 0.5 directly behind each pooling: info.
    Measured: no measurement yet.
    """
    p = {x.name: x.p for x in dropout_layers}
    order = one_step.activations
    last_norm = max((i for i, a in enumerate(order) if "BatchNorm" in a.kind), default=-1)
    before = [i for i, a in enumerate(order) if i < last_norm and a.name in p]
    early = [order[i].name for i in before]
    if early:
        highest = max(p[name] for name in early)
        inside = [order[i] for i in before if i == 0 or "Pool" not in order[i - 1].kind]
        on_maps = max((p[a.name] for a in inside if a.spatial and max(a.spatial) > 1), default=0.0)
        say = warning if on_maps >= most else info
        yield say(
            f"{len(early)} dropout layers (p up to {highest:g}) stand before BatchNorm layers, which remember the variance with "
            "dropout and apply it without.",
            "Move dropout behind the last BatchNorm layer, directly before the classifier.",
            where=tuple(early),
            confidence=0.75,
            p=highest,
        )


@check("dropout.in_eval", explains=("model.mode_dependent",))
def in_eval(dropout_layers: tuple[DropoutLayer, ...]) -> Verdicts:
    """Dropout stays active in evaluation mode.

    What it does: calls model.eval() and reads the modes of the dropout layers.
    Why it costs accuracy: evaluation is made on a thinned net, and differs from call to call.
    Remedy: do not override train() or eval() without passing the mode on.
    Thresholds: none.
    Measured: no measurement yet.
    """
    active = [x for x in dropout_layers if x.active_in_eval]
    if active:
        yield warning(
            f"{len(active)} of {len(dropout_layers)} dropout layers are still active after model.eval().",
            "Let train(mode) and eval() reach all submodules: call super().train(mode) in an override.",
            where=tuple(x.name for x in active),
        )


@check("regularization.excessive", cost="probe", explains=("loss.not_learning", "lr.too_low"), references=(VLR,))
def excessive(
    regularizers: Regularizers,
    *,
    forgets: float = 0.6,
    steps: float = 1000.0,
    share: float = 1.0,
    short: int = 30,
    strong: int = 3,
    smoothing: float = 0.5,
) -> Verdicts:
    """The model is kept from fitting the training data.

    What it does: looks for a penalty on the weights inside the criterion (what still has a gradient when the outputs are
    cut off), or one that a watched loop adds (always the same part of the weights' squares), and turns it into the weight decay that it amounts to; and counts strong regularizers in a short run.
    Why it costs accuracy: the weights are forgotten faster than the data is seen; or the run ends before the model has
    learned what the regularizers leave of the signal.
    Remedy: the number in the finding, or one regularizer less, or a longer run.
    Thresholds: a penalty under which the weights shrink by e within 0.6 epochs and 1000 steps warns, as decay.too_strong
    does; under an adaptive optimizer one whose gradient is larger than that of the predictions. Three of dropout of 0.5
    and more, label smoothing of 0.2 and more, mixing, erasing, and decay that forgets within 2 epochs inform in a run
    of under 30 epochs: tuned short recipes use two of them, and those of vision transformers (all of them) run for 100
    to 300 epochs.
    Measured: a CNN of three convolutions on 8,000 images of CIFAR-10 (16x16, 6 epochs, 2 seeds): under Adam an L2 whose
    gradient is 0.1, 0.3, 1 and 3.2 times that of the predictions costs 0, 1, 4 and 14 points (under SGD see
    decay.too_strong); dropout 0.5 costs 4.2, with label smoothing 0.2 4.2, with 0.4 5.7; smoothing of 0.2 alone gains 0.8.
    """
    r = regularizers
    p = r.penalty
    if p is not None and _too_strong(p, forgets, steps, share):
        per = p.forgets_in_steps
        effect = (
            f"shrinks the weights by e in {per:.0f} steps"
            if per
            else f"outweighs the loss {p.share:.2g} times in the gradient"
        )
        yield warning(
            f"The loss has a penalty on the weights that amounts to weight_decay={p.decay:.2g}, which {effect}.",
            f"a {_factor(p, per):.0g} of it, or weight_decay=5e-4 in the optimizer instead",
            where="criterion",
            decay=p.decay,
            share=p.share,
        )
    if r.smoothing >= smoothing:
        yield warning(
            f"Label smoothing {r.smoothing:g} takes {r.smoothing:.0%} of each target away from the right class.",
            "label_smoothing=0.1",
            where="criterion.label_smoothing",
            smoothing=r.smoothing,
        )
    found = list(_strong(r))
    if len(found) >= strong and r.epochs is not None and r.epochs < short and not r.pretrained:
        yield info(
            f"{len(found)} strong regularizers in a run of {r.epochs} epochs: {', '.join(found)}.",
            "Leave one out, or train for longer: if the training accuracy is far under the wanted one, they are why.",
            where=("criterion", "train_loader", "model"),
        )


def _too_strong(penalty: Penalty, forgets: float, steps: float, share: float) -> bool:
    per = penalty.forgets_in_steps
    if per is None:
        return penalty.share > share
    return penalty.steps_per_epoch is not None and per < min(steps, forgets * penalty.steps_per_epoch)


def _factor(penalty: Penalty, per: float | None) -> float:
    """What would let the weights remember 5 epochs, or give a tenth of the gradient to the penalty."""
    return per / (5 * (penalty.steps_per_epoch or 1)) if per else 0.1 / penalty.share


def _strong(r: Regularizers) -> Iterator[str]:
    if r.dropout >= 0.5:
        yield f"dropout {r.dropout:g}"
    if r.smoothing >= 0.2:
        yield f"label smoothing {r.smoothing:g}"
    if r.mixed:
        yield "mixed samples"
    if r.erased:
        yield "erased parts"
    if r.decay_epochs is not None and r.decay_epochs < 2:
        yield f"weight decay that forgets in {r.decay_epochs:.1g} epochs"


@check("epochs.too_few", references=("He et al. 2015, arXiv:1512.03385, section 4.2: 164 epochs",))
def too_few(
    run_length: RunLength,
    architecture: Architecture,
    pretraining: Pretraining,
    *,
    least: int = 5,
    hint: int = 15,
) -> Verdicts:
    """The run is too short to train a deep net from scratch.

    What it does: counts the epochs on a small data set for a deep convolutional net.
    Why it costs accuracy: the published recipes run 160 to 300 epochs; the fastest tuned ones need about 10.
    Remedy: 30 epochs with a one-cycle schedule, or 160 with the classic one.
    Thresholds: under 5 epochs on 1,000 to 200,000 samples warns, under 15 informs. Large data sets need fewer epochs,
    and so does fine-tuning (2 to 4, Devlin et al. 2019, A.3), where nothing is said. Epochs in which a sampler gives a part of the
    data only count as that part; under one whole pass in all warns for nets of any depth.
    Measured: no measurement yet.
    """
    epochs, samples, passes = run_length.epochs, run_length.samples, run_length.passes
    if epochs is None or samples is None or passes is None or pretraining.done or not 1_000 <= samples <= 200_000:
        return
    if passes < min(epochs, 1):
        yield warning(
            f"The sampler gives {run_length.drawn:,} of {samples:,} samples in an epoch: {epochs} epochs are {passes:.2g} passes through the data.",
            f"num_samples={samples} in the sampler",
            where="train_loader.sampler",
            passes=passes,
        )
    elif passes < hint and architecture.is_deep_convolutional:
        say = warning if passes < least else info
        part = "" if passes == epochs else f", {run_length.drawn:,} of them in each,"
        yield say(
            f"{epochs} epochs of {samples:,} samples{part} for a net of {architecture.convolutions} convolutions.",
            "epochs = 30 with OneCycleLR, or 160 with the rate divided by 10 at 80 and 120",
            where="epochs",
            confidence=0.7,
            epochs=epochs,
        )


@check("epochs.too_many")
def too_many(run_length: RunLength, *, most: int = 1000) -> Verdicts:
    """Far more epochs than any published recipe uses.

    What it does: counts the epochs.
    Why it costs accuracy: it costs time rather than accuracy.
    Remedy: 160 to 300 epochs.
    Thresholds: more than 1000; an info only.
    Measured: no measurement yet.
    """
    if run_length.epochs is not None and run_length.epochs > most:
        yield info(f"{run_length.epochs} epochs.", "epochs = 300 is more than most recipes need", where="epochs")


CHECKS = (too_high, before_batchnorm, in_eval, excessive, too_few, too_many)
