"""Input normalization, judged by the statistics of real batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.features import FeatureScales
    from trainingdoctor.measure.images import ChannelStatistics
    from trainingdoctor.measure.layers import Architecture

LECUN = "LeCun et al. 1998, Efficient BackProp, section 4.3"
STATS = "transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)) for CIFAR-10"

HARM = (
    "init.*",
    "lr.*",
    "model.saturated_activation",
    "loss.diverges",
    "loss.nonfinite",
    "loop.nonfinite",
    "loss.not_learning",
)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{v:.3g}" for v in values)


def _is_raw(s: ChannelStatistics) -> bool:
    """Values of 0..255, as images come from a file."""
    return max(s.high) > 30 and min(s.low) >= -1


def _is_unit(s: ChannelStatistics) -> bool:
    """Values of 0..1, as ToTensor leaves them, perhaps with the noise of an attack, and centred nowhere."""
    return min(s.low) > -0.1 and 0.5 < max(s.high) < 1.1 and min(s.mean) > 0


def _is_centred(s: ChannelStatistics) -> bool:
    """A range of about one, as images of 0..1 have that are only centred, each by its own mean or all by one."""
    return max(s.span) < 1.5 and min(s.std) > 0.1


@check(
    "normalization.missing",
    cost="probe",
    explains=HARM,
    references=(LECUN,),
)
def missing(train_images: ChannelStatistics, architecture: Architecture) -> Verdicts:
    """The inputs are not normalized.

    What it does: measures mean, standard deviation and range of each channel on real training batches.
    Why it costs accuracy: inputs of 0 to 255 make the first layer's gradients hundreds of times too large; inputs of
    0 to 1 have a mean of twice their deviation, which couples all weights of the first layer.
    Remedy: transforms.Normalize(mean, std) with the numbers in the finding.
    Thresholds: values beyond 30 with none below -1 (0..255): a warning, critical for nets without normalization
    layers. Values in 0..1: a warning for colour images in nets of 10 convolutions and more or without normalization;
    an info for the rest (MNIST examples do it), and for images that are to be reconstructed, as a sigmoid gives them.
    Measured: no measurement yet.
    """
    s = train_images
    raw, unit = _is_raw(s), _is_unit(s)
    if not raw and not unit:
        yield Note(f"channel means {_numbers(s.mean)}, deviations {_numbers(s.std)}")
        return
    deep = architecture.is_deep_convolutional or (architecture.normalizations == 0 and architecture.convolutions > 2)
    if raw:
        say = critical if architecture.normalizations == 0 else warning
    else:
        say = warning if s.channels >= 3 and deep and not s.reconstructed else info
    scale = 255 if raw else 1
    remedy = f"transforms.Normalize(({_numbers(tuple(m / scale for m in s.mean))}), ({_numbers(tuple(v / scale for v in s.std))}))"
    yield say(
        f"The inputs lie between {min(s.low):.3g} and {max(s.high):.3g} with channel means {_numbers(s.mean)} and deviations {_numbers(s.std)}: "
        f"{'they are raw pixels' if raw else 'they are scaled to 0..1 and not centred'}.",
        ("transforms.ToTensor() (or / 255), then " if raw else "after ToTensor(): ")
        + remedy
        + ", in training and in evaluation",
        where="train_loader.dataset.transform",
        confidence=0.9 if raw else 0.75,
        mean=s.mean,
        std=s.std,
    )


@check("normalization.wrong_statistics", cost="probe", explains=HARM, references=(LECUN,))
def wrong_statistics(
    train_images: ChannelStatistics,
    architecture: Architecture,
    *,
    offset: float = 1.2,
    large: float = 2.5,
    small: float = 0.3,
    gross: float = 10.0,
) -> Verdicts:
    """The inputs are normalized with numbers that are not the data's.

    What it does: measures the channels of real training batches against mean 0 and deviation 1.
    Why it costs accuracy: Normalize applied twice, the variance in place of the deviation, or the mean of another
    scale (0..255 against 0..1) give the first layer inputs far from what its initialization is made for.
    Remedy: the data set's own mean and standard deviation, applied once.
    Thresholds: a channel mean beyond 1.2 deviations from zero, a deviation above 2.5 or below 0.3; critical beyond 10. Other data sets'
    tables are harmless and stay silent: ImageNet's, 0.5 and the popular .2023 on CIFAR-10 give deviations of 0.5 to
    1.25 and means within 0.2; zero padding moves the mean by 0.3 at most. Images of 0..1 whose mean alone was taken
    off, as in He et al. 2015, are an info where the net normalizes.
    Measured: no measurement yet.
    """
    s = train_images
    if _is_raw(s) or _is_unit(s):
        return
    shifts = [abs(m) / max(d, 1e-9) for m, d in zip(s.mean, s.std, strict=True)]
    off = max(shifts) > offset and max(abs(m) for m in s.mean) > offset / 2
    if off or max(s.std) > large or max(s.std) < small:
        # From raw pixels' size on (a deviation of 60 about a mean of 120) it is worse than no normalization at all.
        centred = not off and max(s.std) < small and _is_centred(s) and architecture.normalizations > 0
        say = critical if max(shifts) > gross or max(s.std) > gross else info if centred else warning
        yield say(
            f"After normalization the channels have means {_numbers(s.mean)} and deviations {_numbers(s.std)} instead of about 0 and 1 "
            f"(values from {min(s.low):.3g} to {max(s.high):.3g}).",
            f"Normalize once, after ToTensor(), with the data's own numbers: {STATS}.",
            where="train_loader.dataset.transform",
            mean=s.mean,
            std=s.std,
        )
    else:
        yield Note(f"channel means {_numbers(s.mean)}, deviations {_numbers(s.std)}")


@check(
    "normalization.train_eval_mismatch",
    cost="probe",
    explains=("batchnorm.statistics_stale", "normalization.missing", "normalization.wrong_statistics"),
)
def train_eval_mismatch(
    train_images: ChannelStatistics,
    val_images: ChannelStatistics,
    *,
    shift: float = 0.25,
    ratio: float = 1.25,
    gross: float = 1.0,
    few: int = 64,
) -> Verdicts:
    """Training and evaluation images are normalized differently.

    What it does: compares the values that black and white have become in both loaders (the extremes of each channel),
    and the means. Crops, padding, erasing and colour change the mean of training images, but not what black and white
    map to.
    Why it costs accuracy: the net is evaluated on inputs that it never saw.
    Remedy: the same Normalize in both pipelines.
    Thresholds: extremes that differ by more than 0.25 of the evaluation's deviation on average, or ranges by more
    than 1.25 times; from one deviation or twice the range on it is critical. ImageNet's numbers against CIFAR's
    differ by 0.15 and 1.14 times: silent. Under 64 images in either loader, black and white may be in none: then only what
    is critical is told.
    Measured: no measurement yet.
    """
    t, v = train_images, val_images
    if t.channels != v.channels:
        yield critical(
            f"Training images have {t.channels} channels, evaluation images {v.channels}.",
            "Convert both the same way.",
            where="val_loader",
        )
        return
    centres = [abs((a + b) - (c + d)) / 2 for a, b, c, d in zip(t.low, t.high, v.low, v.high, strict=True)]
    moved = max(c / max(s, 1e-9) for c, s in zip(centres, v.std, strict=True))
    scaled = max(max(a, 1e-9) / max(b, 1e-9) for a, b in zip(t.span, v.span, strict=True))
    scaled = max(scaled, *(max(b, 1e-09) / max(a, 1e-09) for a, b in zip(t.span, v.span, strict=True)))
    far = moved > gross or scaled > 2
    if far or ((moved > shift or scaled > ratio) and min(t.samples, v.samples) >= few):
        say = critical if far else warning
        yield say(
            f"Black and white are {min(t.low):.3g} and {max(t.high):.3g} in training but {min(v.low):.3g} and {max(v.high):.3g} in evaluation; channel means "
            f"{_numbers(t.mean)} against {_numbers(v.mean)}.",
            "Use the same ToTensor() and Normalize(mean, std) in both pipelines.",
            where=("train_loader.dataset.transform", "val_loader.dataset.transform"),
            shift=moved,
            ratio=scaled,
        )
    else:
        yield Note(f"the extremes agree within {moved:.2g} deviations and a factor of {scaled:.2g}")


@check("normalization.features", cost="probe", explains=HARM, references=(LECUN,))
def features(feature_scales: FeatureScales, *, most: float = 30.0, apart: float = 30.0) -> Verdicts:
    """The columns of a table come in their raw units.

    What it does: measures the columns as they reach the first linear layer, after what the model itself does to them.
    Why it costs accuracy: a column of thousands beside columns of ones is all that the first layer sees, and its
    gradients set the rate that the others can have; the others are learned hundreds of times more slowly.
    Remedy: (x - mean) / std with the training set's numbers, the logarithm of amounts, or a BatchNorm1d in front.
    Thresholds: a column of size 30 and more (root mean square) that is 30 times the median column; or a median column
    of 30. Standardized columns have 1, shares and flags less, pixels of 0 to 16 no more than 16.
    Measured: a net of 64 and 64 units on 6,400 rows of 12 columns, two of them raw (ages, and amounts of 40,000), Adam,
    12 epochs, 2 seeds: 55 % in place of 89 % of the test rows right.
    """
    sizes = sorted(s for s in feature_scales.size if s > 0)
    if not sizes:
        return
    largest, median = sizes[-1], sizes[len(sizes) // 2 if len(sizes) % 2 else len(sizes) // 2 - 1]
    if largest < most or (largest < apart * median and median < most):
        yield Note(f"columns of size {sizes[0]:.2g} to {largest:.2g}, the median {median:.2g}")
        return
    raw = [i for i, s in enumerate(feature_scales.size) if s >= most]
    shown = ", ".join(f"{i}: {feature_scales.mean[i]:.3g} ± {feature_scales.std[i]:.2g}" for i in raw[:4])
    yield warning(
        f"{len(raw)} of {len(feature_scales.size)} columns reach {feature_scales.layer or 'the first layer'} in raw units ({shown}); the median column has size {median:.2g}.",
        "mean, std = x_train.mean(0), x_train.std(0); x = (x - mean) / std for training and evaluation",
        where="train_loader.dataset",
        confidence=0.85,
        columns=raw[:20],
        largest=largest,
        median=median,
    )


CHECKS = (missing, wrong_statistics, train_eval_mismatch, features)
