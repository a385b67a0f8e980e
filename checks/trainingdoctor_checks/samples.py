"""The samples themselves: copies, noise, the order of their channels and of the evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning
from trainingdoctor_checks.data import SIZES

if TYPE_CHECKING:
    from trainingdoctor.measure.channels import ChannelOrder, ColourContrast
    from trainingdoctor.measure.dataset import DatasetFacts
    from trainingdoctor.measure.indices import EvaluationOrder
    from trainingdoctor.measure.overlap import Leakage, Repeats
    from trainingdoctor.measure.pixel_noise import PixelNoise

BARZ = "Barz & Denzler 2020, Do we train on test data?, arXiv:1902.00423"
COHEN = "Cohen et al. 2019, Certified adversarial robustness via randomized smoothing, arXiv:1902.02918"


@check("data.leakage", cost="probe", references=(BARZ,))
def leaks(leakage: Leakage, *, hint: float = 0.01, most: float = 0.05, gross: float = 0.5) -> Verdicts:
    """Evaluation samples are in the training set.

    What it does: compares the samples of both loaders before augmentation: by index where they share a data set, by
    content (arrays, files, or drawn without transforms) otherwise.
    Why it costs accuracy: it costs none that is measured, and that is the harm: the accuracy on known samples says
    nothing about unknown ones, and a choice of epoch or rate by it is a choice at random.
    Remedy: split once, by index, and give each loader its part.
    Thresholds: 5 % of the evaluation samples warn, 50 % are critical, 1 % informs. CIFAR-10 and CIFAR-100 live with
    3.3 % and 10 % near duplicates (Barz & Denzler 2020), of which equal bytes are a small part: none in CIFAR-10.
    Measured: no measurement yet.
    """
    o = leakage
    if o.shared < hint:
        yield Note(
            f"{o.read:,} evaluation samples compared with {o.train_read:.0%} of the training set: {o.shared:.2%} shared"
        )
        return
    say = critical if o.shared >= gross else warning if o.shared >= most else info
    how = "have the same index in one data set" if o.same_rows else "are byte for byte the same"
    yield say(
        f"{o.shared:.0%} of the {o.read:,} evaluation samples are training samples too: they {how}.",
        "train_set, val_set = torch.utils.data.random_split(data, [0.9, 0.1], torch.Generator().manual_seed(0)), or the data set's own test split for val_loader",
        where=("val_loader.dataset", "train_loader.dataset"),
        shared=o.shared,
        read=o.read,
    )


@check("data.duplicates", cost="probe", explains=("data.subset",))
def duplicates(
    repeats: Repeats, dataset_facts: DatasetFacts, *, hint: float = 0.1, most: float = 0.5, known_share: float = 0.8
) -> Verdicts:
    """Many training samples are copies of others.

    What it does: compares all training samples before augmentation, byte for byte.
    Why it costs accuracy: a copy teaches nothing new: the epoch is as long as before and shows less. What it costs is
    what training on the different samples alone costs.
    Remedy: keep each sample once.
    Thresholds: half of the samples are copies, or fewer than 80 % of a known data set's samples are different (as
    data.subset): warning. 10 %: info. A data set repeated as a whole, and rare classes made frequent by repeating
    them, are methods and stay silent: counted are copies in the class with the most different samples.
    Measured: no measurement yet.
    """
    r = repeats
    known = SIZES.get(dataset_facts.name)
    complete = r.read >= 0.99 * r.size
    lost = known is not None and complete and r.share > 0 and r.distinct < known_share * known <= r.size
    if lost or (not r.even and r.share >= hint):
        say = warning if lost or r.share >= most else info
        short = f", where {dataset_facts.name} has {known:,}" if lost else ""
        yield say(
            f"{r.distinct:,} of {r.read:,} training samples are different{short}; {r.share:.0%} of the best-filled class are copies.",
            "Keep each sample once: look for an index drawn with replacement, a list that was extended with itself, files that were copied.",
            where="train_loader.dataset",
            distinct=r.distinct,
            read=r.read,
        )
    else:
        yield Note(f"{r.distinct:,} of {r.read:,} samples are different")


@check("data.noise", cost="probe", explains=("augmentation.too_strong", "labels.noise"), references=(COHEN,))
def noise(pixel_noise: PixelNoise, *, least: float = 0.6, clean: float = 0.5) -> Verdicts:
    """The training images are far noisier than the evaluation images.

    What it does: measures how much adjacent pixels have in common, in the training images as the model sees them, in
    the evaluation images, and in the training images before augmentation.
    Why it costs accuracy: the net learns from images whose details are drowned, and learns to ignore details.
    Remedy: less noise, or noise on some of the images; the numbers are in the finding.
    Thresholds: a correlation under 0.6 of the evaluation's, which is noise of 0.8 deviations of the images. On
    CIFAR-10 (evaluation 0.89): crop and flip 0.84, TrivialAugment with Cutout 0.85, RandomErasing with random values
    on every image 0.83, noise of 0.1 on pixels of 0 to 1 0.72: silent. Noise of 0.25, as large as the images' own
    deviation, 0.42; of five deviations 0.03. Evaluation images that are noise themselves (under 0.5) are not judged.
    Measured: no measurement yet.
    """
    n = pixel_noise
    if n.evaluation < clean or n.ratio >= least:
        yield Note(f"correlation of adjacent pixels {n.train:.2f} in training, {n.evaluation:.2f} in evaluation")
        return
    from_transforms = n.stored is not None and n.stored >= 0.8 * n.evaluation
    yield warning(
        f"Adjacent pixels correlate by {n.train:.2f} in training images and by {n.evaluation:.2f} in evaluation images: noise of about "
        f"{n.noise_to_signal:.1f} times the images' own deviation, {'added by the training transforms' if from_transforms else 'in the training data itself'}.",
        "Take the noise out, or make it a tenth of the images' deviation (0.025 on pixels of 0 to 1)."
        if from_transforms
        else "Look at the images, and at how they were made and stored.",
        where="train_loader.dataset.transform" if from_transforms else "train_loader.dataset",
        train=n.train,
        evaluation=n.evaluation,
        stored=n.stored,
    )


@check("data.channel_order", cost="probe", explains=("training.raises", "normalization.*"))
def channels(
    channel_order: ChannelOrder, *, apart: float = 0.5, more: float = 0.15, dip: float = 0.25, clear: float = 5.0
) -> Verdicts:
    """The axes of the images are mixed up, or red and blue are swapped between training and evaluation.

    What it does: looks whether images of N, H, W, C go into a convolution; whether pixels resemble those three places
    (or a third of a row) away more than their neighbours, as after view() in place of permute(); and compares the
    first with the last channel, brought to 0 for black and 1 for white, in both loaders.
    Why it costs accuracy: a convolution over rows as channels, or over images cut into stripes, has no neighbours to
    look at; with red and blue swapped the net is evaluated in colours that it never saw.
    Remedy: images.permute(0, 3, 1, 2); the same decoding in both pipelines (cv2 reads BGR, PIL and torchvision RGB).
    Thresholds: a correlation of at least 0.5 at that distance, 0.15 above that of neighbours; or, a warning, 0.25 above all that is half way, along both axes
    (CIFAR-10 as it is: -0.3; its rows taken for N, H, W, C, with crops and mirrors: 0.28 and more). CIFAR-10: neighbours
    0.88, three apart 0.55; after a view of N, H, W, C as N, C, H, W -0.11 and 0.85; of N, C, H, W as N, H, W, C 0.55 and
    0.75. Swapped: the levels' difference has the opposite sign, 0.4 to 2.5 times the size, clear by 5 standard errors
    on each side and between them, and the skewness does not speak against it. On CIFAR-10 with 512 images each,
    swapped: ratios of -0.5 (with TrivialAugment) to -1.2 at 6 to 8 standard errors; not swapped: -0.1 (a hue jitter of
    0.5) to 1.3. Grey and colour-balanced data have no clear level and stay silent.
    Measured: no measurement yet.
    """
    s = channel_order.layout
    if s.channels_last:
        yield critical(
            f"Image batches of shape {s.shape} (N, H, W, C) go into a convolution that takes {s.wants} channels: rows of pixels are its channels.",
            "images = images.permute(0, 3, 1, 2)",
            where="train_loader",
            shape=s.shape,
        )
    elif s.apart >= apart and (s.apart - s.adjacent >= more or s.dip >= dip):
        say = critical if s.apart - s.adjacent >= more else warning
        yield say(
            f"In the images, values that lie apart resemble each other (correlation {s.apart:.2f}, neighbours {s.adjacent:.2f}), and those between do less: "
            "channels and columns are mixed up.",
            "images.reshape(n, h, w, c).permute(0, 3, 1, 2) instead of reshape(n, c, h, w), or the reverse",
            where="train_loader.dataset",
            apart=s.apart,
            adjacent=s.adjacent,
        )
    elif channel_order.contrasts is not None and _swapped(*channel_order.contrasts, clear):
        level = channel_order.contrasts[0]
        yield warning(
            f"The first channel exceeds the last by {level.train:+.3f} in training and by {level.evaluation:+.3f} in evaluation (0 black, 1 white), "
            f"{level.clear:.0f} standard errors apart: red and blue look swapped in one of them.",
            "image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB), in both pipelines or in neither",
            where=("train_loader.dataset", "val_loader.dataset"),
            confidence=0.75,
            train=level.train,
            evaluation=level.evaluation,
        )
    else:
        yield Note(f"neighbouring pixels correlate by {s.adjacent:.2f}")


def _swapped(level: ColourContrast, skewness: ColourContrast, clear: float) -> bool:
    opposite = level.clear >= clear and 0.4 <= -level.ratio <= 2.5
    return opposite and (skewness.clear < 2 or skewness.ratio < 0)


@check("data.order_on_evaluation", cost="probe")
def order_on_evaluation(evaluation_order: EvaluationOrder) -> Verdicts:
    """The evaluation loader is shuffled.

    What it does: reads the sampler's order twice.
    Why it costs accuracy: it costs none. Predictions cannot be matched with samples by their position, and per-batch
    figures change from run to run.
    Remedy: shuffle=False.
    Thresholds: none; an info only.
    Measured: no measurement yet.
    """
    if evaluation_order.shuffled:
        yield info(
            "Two passes over val_loader begin with different samples: it is shuffled.",
            "DataLoader(val_set, shuffle=False)",
            where="val_loader",
        )


CHECKS = (leaks, duplicates, noise, channels, order_on_evaluation)
