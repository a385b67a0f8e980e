"""BatchNorm: whether it is there, what stands before it, how often one is used, and its epsilon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.batchnorm_use import BatchNormUse
    from trainingdoctor.measure.flow import Flow
    from trainingdoctor.measure.layers import Architecture

IOFFE = "Ioffe & Szegedy 2015, arXiv:1502.03167"


@check("batchnorm.missing", cost="probe", references=(IOFFE,))
def missing(flow: Flow, architecture: Architecture, *, least: int = 10) -> Verdicts:
    """A deep convolutional net without any normalization.

    What it does: looks for normalization steps in one forward pass, and for weight and spectral normalization.
    Why it costs accuracy: without it deep nets need small rates and careful initialization.
    Remedy: nn.BatchNorm2d after every convolution, with bias=False in the convolution.
    Thresholds: ten convolutions, and an info only: VGG-16, Fixup, SELU and normalizer-free nets do without.
    Measured: no measurement yet.
    """
    convolutions = {w.name: w for w in flow.layers if w.kind == "conv" and not w.grouped}
    if len(convolutions) >= least and not flow.norms and not architecture.normalizations:
        yield info(
            f"{len(convolutions)} convolutions, and no normalization anywhere.",
            "nn.Sequential(nn.Conv2d(..., bias=False), nn.BatchNorm2d(channels), nn.ReLU())",
            where="model",
            convolutions=len(convolutions),
        )


@check("batchnorm.bias_before", cost="probe", references=(f"{IOFFE}, section 3.2",))
def bias_before(flow: Flow) -> Verdicts:
    """A bias that the BatchNorm after it takes away again.

    What it does: finds layers with a bias whose output goes straight into BatchNorm.
    Why it costs accuracy: it does not; the bias costs memory and does nothing.
    Remedy: bias=False in these layers.
    Thresholds: an info only.
    Measured: no measurement yet.
    """
    names = tuple(dict.fromkeys(w.name for w in flow.layers if w.biased_before_norm))
    if names:
        yield info(
            f"{len(names)} layers have a bias that the BatchNorm after them subtracts again.",
            "bias=False in these layers",
            where=names,
            layers=len(names),
        )


@check(
    "batchnorm.shared",
    cost="probe",
    explains=("batchnorm.statistics_stale", "batchnorm.momentum", "loss.not_learning"),
    references=("Cooijmans et al. 2017, Recurrent Batch Normalization, arXiv:1603.09025, section 3",),
)
def shared(batchnorm_use: tuple[BatchNormUse, ...]) -> Verdicts:
    """One BatchNorm module normalizes two different places.

    What it does: counts the calls of each layer in one training pass, and the layers that run before and after them.
    Why it costs accuracy: in training each place has its own batch statistics, but there is one set of running
    statistics: in evaluation both places get the average of the two, which fits neither.
    Remedy: one nn.BatchNorm2d for each place.
    Thresholds: different layers before the calls and different ones after them warn. When the whole branch is used
    several times (siamese and recurrent nets) it is an info.
    Measured: no measurement yet.
    """
    several = [u for u in batchnorm_use if u.calls > 1]
    places = [u for u in several if len(u.feeders) > 1 and len(u.followers) > 1]
    if places:
        first = places[0]
        yield warning(
            f"{len(places)} BatchNorm modules normalize more than one place: {first.name} is called {first.calls} times in a pass, "
            f"after {' and '.join(n or 'the input' for n in first.feeders[:3])}.",
            "Give each place a BatchNorm of its own: self.bn1 and self.bn2.",
            where=tuple(u.name for u in places),
            calls=first.calls,
        )
    elif several:
        yield info(
            f"{len(several)} BatchNorm modules are called more than once in a pass, with the branch that they are in.",
            "Right for siamese nets; in a recurrent one each step wants statistics of its own.",
            where=tuple(u.name for u in several),
            calls=several[0].calls,
        )


@check("batchnorm.eps", cost="probe", explains=("lr.*", "loss.not_learning", "init.*", "model.ignores_input"))
def eps(
    batchnorm_use: tuple[BatchNormUse, ...], *, usual: float = 1e-3, share: float = 0.25, tiny: float = 0.5
) -> Verdicts:
    """Epsilon is larger than the variance that it should only guard.

    What it does: measures the variance of each channel in a real training batch and compares it with eps.
    Why it costs accuracy: the layer then divides by the square root of eps, not by the data's deviation: the signal
    comes out smaller, by more in every layer, and is not normalized.
    Remedy: eps=1e-5, the default. With that eps already: weights or inputs that are not tiny.
    Thresholds: most channels of a layer below eps, channels that do not vary left out; in a quarter of the layers if
    eps is above 1e-3 (Keras, EfficientNet and MobileNetV3 use 1e-3), in half of them otherwise. The lowest medians of
    fresh torchvision nets are 1e-4 (MobileNet, EfficientNet: 2 of MobileNetV3's 34 layers are below its 1e-3), 0.05
    to 0.5 in ResNet, DenseNet and GoogLeNet.
    Measured: no measurement yet.
    """
    small = [u for u in batchnorm_use if u.small > 0.5]
    unusual = [u for u in small if u.eps > usual]
    found = (
        unusual
        if len(unusual) >= share * len(batchnorm_use)
        else small
        if len(small) >= tiny * len(batchnorm_use)
        else []
    )
    if small and found:
        worst = min(found, key=lambda u: u.variance / u.eps)
        yield warning(
            f"In {len(found)} of {len(batchnorm_use)} BatchNorm layers eps is larger than the variance of most channels: {worst.name} adds "
            f"{worst.eps:g} to variances around {worst.variance:.1e}.",
            "eps=1e-5" if unusual else "Larger initial weights (nn.init.kaiming_normal_), or inputs of deviation 1",
            where=tuple(u.name for u in found),
            eps=worst.eps,
            variance=worst.variance,
        )
    elif unusual:
        yield info(
            f"In {unusual[0].name} eps ({unusual[0].eps:g}) is larger than the variance of most channels ({unusual[0].variance:.1e}).",
            "eps=1e-5",
            where=tuple(u.name for u in unusual),
        )
    elif batchnorm_use:
        yield Note(f"the smallest median variance is {min(u.variance for u in batchnorm_use):.1e}")


CHECKS = (missing, bias_before, shared, eps)
