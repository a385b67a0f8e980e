"""Where the weights come from: pretrained in part, and the estimates of spectral normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Finding, Note, Verdicts, check, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.origins import Origin
    from trainingdoctor.measure.spectral import SpectralLayer
    from trainingdoctor.observing.trace import LoopTrace

MIYATO = "Miyato et al. 2018, Spectral Normalization for GANs, arXiv:1802.05957, section 2.1"
YOSINSKI = "Yosinski et al. 2014, How transferable are features in deep neural networks?, arXiv:1411.1792"


@check(
    "init.pretrained_partial",
    cost="probe",
    explains=("loss.not_learning", "lr.*", "batchnorm.statistics_stale"),
    references=(YOSINSKI,),
)
def pretrained_partial(origins: tuple[Origin, ...]) -> Verdicts:
    """Pretrained weights were loaded only in part: layers in the middle are freshly initialized.

    What it does: tells trained from fresh layers by the distribution of their weights (training makes the norms of
    units unequal and the tails heavy) and by what any training step would have moved (scale and shift of the
    normalization, zero biases, the edge of a uniform distribution), in the order in which they run.
    Why it costs accuracy: a random layer in the middle destroys what the pretrained layers after it were trained on.
    Remedy: model.load_state_dict(state) without strict=False, or print what it returns: missing and unexpected keys.
    Thresholds: a spread of 1.5 or tails of 0.3, at ten standard errors, is trained; under five it is fresh. Measured:
    fresh nets are at most at 4.6 standard errors, pretrained ones (CREPE, a speaker encoder) at hundreds.
    Fresh layers after the last trained one are a new head; one before the first a new stem; among trained
    layers that are frozen adapters: all healthy. It warns when a fresh convolution between trained ones has a kernel of
    the same size (above 1x1) as one of them; other fresh layers in between (inserted attention, cross attention of a
    warm-started decoder, projections) are an info.
    Measured: no measurement yet.
    """
    trained = [i for i, o in enumerate(origins) if o.is_trained]
    if len(trained) < 2 or not any(origins[i].trainable for i in trained):
        return
    kernels = {origins[i].shape[2:] for i in trained if max(origins[i].shape[2:], default=1) > 1}
    fresh = [o for o in origins[trained[0] : trained[-1]] if o.is_fresh]
    lost = [o for o in fresh if o.shape[2:] in kernels]
    if fresh:
        say = warning if lost else info
        yield say(
            f"{len(fresh)} layers between trained ones are freshly initialized, such as {(lost or fresh)[0].name}, while {len(trained)} of "
            f"{len(origins)} layers have been trained.",
            "print(model.load_state_dict(state, strict=False))  # missing_keys must name the new head only",
            where=tuple(o.name for o in fresh),
            confidence=0.8,
            fresh=len(fresh),
            trained=len(trained),
        )
    else:
        yield Note(f"{len(trained)} of {len(origins)} layers look trained, and none between them is fresh")


@check("init.pretrained_lost", explains=("loss.not_learning", "lr.*", "epochs.too_few"), references=(YOSINSKI,))
def pretrained_lost(loop_trace: LoopTrace, *, most: float = 0.5) -> Verdicts:
    """A checkpoint was loaded, and its weights were overwritten before the training began.

    What it does: remembers what load_state_dict() brings before the first step, and looks at the first step of each optimizer whether these
    weights are still there.
    Why it costs accuracy: an init_weights(), apply() or second load behind the first one makes it a training from scratch, at the rate and for the
    epochs of a fine-tuning.
    Remedy: initialize first, then load; or initialize the new head only.
    Thresholds: more than half of the loaded matrices and kernels, by a correlation below 0.6 with what was loaded: casts, pruning, folded
    BatchNorm and noise (shrink and perturb) keep it above. A new head alone is less than half.
    Measured: no measurement yet.
    """
    seen = loop_trace.loaded
    if seen is None:
        return
    if seen.lost <= most * seen.weights:
        yield Note(f"{seen.weights - seen.lost} of {seen.weights} loaded weights are still there at the first step")
        return
    yield warning(
        f"{seen.lost} of the {seen.weights} weights that load_state_dict() brought are others at the first step: they were initialized anew "
        "after they had been loaded.",
        "Call what initializes (init_weights(), model.apply(...)) before load_state_dict(), or for the new layers only.",
        where=seen.where,
        lost=seen.lost,
        weights=seen.weights,
    )


@check(
    "init.spectral_norm",
    cost="probe",
    explains=("loss.diverges", "loss.nonfinite", "loop.nonfinite", "lr.too_high"),
    references=(MIYATO,),
)
def spectral_norm(spectral_layers: tuple[SpectralLayer, ...], *, most: float = 1.5) -> Verdicts:
    """Spectral normalization divides by a wrong estimate of the largest singular value.

    What it does: compares the estimate with the true value, as the model was given and after five forward passes in
    training mode, which renew the estimate by one power iteration each. Of a watched script: also where the model is evaluated
    before any forward pass in training mode has made an estimate.
    Why it costs accuracy: the layer is not limited to a norm of 1; an estimate that is never renewed (layers kept in
    eval mode, weights loaded or initialized after the estimate) amplifies what it should bound. An evaluation before the first
    estimate tells nothing of the model.
    Remedy: model.train() before the first steps, or apply spectral_norm after initializing the weights. Before an evaluation
    that comes first: nn.utils.parametrizations.spectral_norm, which makes its estimate when it is applied.
    Thresholds: a norm of 1.5 after the five passes, or before them where they renew nothing, or in an evaluation. At the start a
    random estimate is far off in every such net, and right after some steps: that is healthy where nothing uses it.
    Measured: no measurement yet.
    """
    off = [s for s in spectral_layers if s.trained > most]
    early = [s for s in spectral_layers if (s.evaluated or 0.0) > most]
    if off:
        worst = max(off, key=lambda s: s.trained)
        stuck = [s for s in off if not s.updates]
        why = "training passes do not renew the estimate" if stuck else "after five training passes"
        yield warning(
            f"{len(off)} of {len(spectral_layers)} layers under spectral normalization have a norm of up to {worst.trained:.3g} instead of 1 "
            f"({worst.name}; {why}).",
            "model.train() before training, with no eval() on these layers; spectral_norm() after the weights are set",
            where=tuple(s.name for s in off),
            norm=worst.trained,
        )
    elif early:
        yield _evaluated_first(early, len(spectral_layers))
    elif spectral_layers:
        yield Note(f"norms of up to {max(s.trained for s in spectral_layers):.3g}")


def _evaluated_first(early: list[SpectralLayer], layers: int) -> Finding:
    worst = max(early, key=lambda s: s.evaluated or 0.0)
    return warning(
        f"The model is evaluated before any forward pass in training mode: {len(early)} of {layers} layers under spectral normalization "
        f"have a norm of up to {worst.evaluated:.3g} instead of 1 there ({worst.name}), and its result tells nothing of the model.",
        "nn.utils.parametrizations.spectral_norm, which makes its estimate when it is applied; or evaluate after the first epoch",
        where=worst.evaluated_at or tuple(s.name for s in early),
        norm=worst.evaluated,
    )


CHECKS = (pretrained_partial, pretrained_lost, spectral_norm)
