"""What augmentation does to the images: too much, or nothing where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Finding, Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.augmentation import AugmentationPairs
    from trainingdoctor.measure.augmentation_strength import AugmentationStrength
    from trainingdoctor.measure.transform_steps import Step

COATES = "Coates, Lee & Ng 2011, An analysis of single-layer networks in unsupervised feature learning, AISTATS"
RONNEBERGER = "Ronneberger et al. 2015, U-Net, arXiv:1505.04597, section 3.1"
CROPS = ("RandomCrop", "RandomResizedCrop", "RandomAffine", "RandomPerspective")


@check("augmentation.too_strong", cost="probe", references=(COATES,))
def too_strong(
    augmentation_strength: AugmentationStrength, *, least: float = 0.25, hint: float = 0.3, related: float = 10.0
) -> Verdicts:
    """Augmentation leaves nothing of the images by which the class can be told.

    What it does: fits a small classifier on training images without and with their augmentation, and asks both about
    evaluation images. What is left is the skill of the second (accuracy above chance) over that of the first.
    Why it costs accuracy: the net is taught labels of images that do not show them.
    Remedy: the published strengths: crop with 4 pixels of padding and flip, then RandAugment or TrivialAugment,
    RandomErasing of a third of the image at most.
    Thresholds: under 25 % of the skill warns, under 30 % informs. On CIFAR-10, 1,000 images: see the table of
    benchmarks/results/data-checks.md; where the classifier sees little in plain images either (10 standard errors
    above guessing), nothing is said.
    Measured: no measurement yet.
    """
    s = augmentation_strength
    if s.plain.z < related or s.kept >= hint:
        yield Note(f"augmented images teach a small classifier {s.kept:.0%} of what plain ones do")
        return
    say = warning if s.kept < least else info
    yield say(
        f"A small classifier fitted on {s.samples:,} augmented training images is right on {s.augmented.accuracy:.1%} of the evaluation images, fitted on the same images "
        f"without augmentation on {s.plain.accuracy:.1%} (guessing: {s.plain.chance:.1%}): augmentation leaves {max(s.kept, 0.0):.0%} of what tells the classes.",
        "Look at augmented images, and weaken what you do not recognize: RandomErasing(p=0.25, scale=(0.02, 0.33)), RandomResizedCrop(size, scale=(0.2, 1)), noise and blur on some images only.",
        where="train_loader.dataset.transform",
        kept=s.kept,
        plain=s.plain.accuracy,
        augmented=s.augmented.accuracy,
    )


@check(
    "augmentation.order",
    cost="probe",
    explains=(
        "augmentation.frozen",
        "augmentation.missing",
        "augmentation.weak",
        "augmentation.too_strong",
        "normalization.*",
        "data.constant",
    ),
)
def order(
    transform_steps: tuple[Step, ...], augmentation_pairs: AugmentationPairs, *, clipped: float = 0.2
) -> Verdicts:
    """A training transform destroys what another one made, or does nothing where it stands.

    What it does: applies the training transforms one by one to some images, random ones 200 times, and looks what
    changes.
    Why it costs accuracy: colour transforms clip to 0..1: after Normalize, all below the mean is gone, and training
    images have values that evaluation images never have. A crop as large as the image, or a probability of 0, is an
    augmentation that is only written down.
    Remedy: colour transforms before Normalize; RandomCrop(32, padding=4); p=0.5.
    Thresholds: a step that clips the negative values of 20 % of the images to 0 warns (ColorJitter after Normalize:
    76 % on CIFAR-10). A random step without effect in 200 applications warns if it is a crop and the draws are never
    shifted, or if the draws do not vary at all; otherwise an info: a probability of 0 may be a choice. Zero padding
    after Normalize is grey instead of black, and harmless: silent.
    Measured: no measurement yet.
    """
    for step in transform_steps:
        if step.clips >= clipped:
            yield warning(
                f"{step.name} gets normalized images and clips the negative values of {step.clips:.0%} of them to 0.",
                f"Move {step.name} before Normalize.",
                where="train_loader.dataset.transform",
                clips=step.clips,
                step=step.shown,
            )
        # A rare one may have had no occasion: one in twenty misses 200 applications once in 30,000 runs.
        rare = step.probability is not None and 0 < step.probability < 0.05
        if step.random and step.changed == 0 and not rare:
            yield _without_effect(step, augmentation_pairs)


def _without_effect(step: Step, pairs: AugmentationPairs) -> Finding:
    shifts = step.name in CROPS and pairs.varies and not set(pairs.kinds) & {"shifted", "other", "erased", "mixed"}
    say = warning if shifts or not pairs.varies else info
    remedy = (
        f"{step.name} with padding, as RandomCrop({pairs.side}, padding={max(1, pairs.side // 8)})"
        if step.name == "RandomCrop"
        else f"Give {step.name} a probability and a strength, or take it out"
    )
    left = "" if pairs.varies else ", and no other transform varies the images"
    return say(
        f"{step.shown} changed nothing in {step.applications} applications to training images{left}.",
        remedy + ".",
        where="train_loader.dataset.transform",
        step=step.shown,
    )


@check("augmentation.left_behind", cost="probe", explains=("labels.*", "loss.not_learning"), references=(RONNEBERGER,))
def left_behind(augmentation_pairs: AugmentationPairs, *, share: float = 0.25) -> Verdicts:
    """The images are mirrored or moved, and their masks are not.

    What it does: draws the same samples several times and compares the draws of the images and those of the targets.
    Why it costs accuracy: every second mask belongs to another picture: the net learns blurred, symmetrical masks.
    Remedy: one draw of the random numbers for both: torchvision.transforms.v2 with tv_tensors.Mask, or albumentations
    with image= and mask=.
    Thresholds: a quarter of the pairs of draws mirrored or shifted, and no target that ever differs.
    Measured: no measurement yet.
    """
    p = augmentation_pairs
    moves = {k: p.kinds[k] for k in ("mirrored", "flipped_vertically", "shifted") if p.kinds.get(k, 0) >= share}
    if not p.still_maps or not moves:
        return
    yield critical(
        f"Of {p.samples} training samples drawn {p.draws} times, the images are {' and '.join(moves).replace('_', ' ')} and the masks never change: they do not fit.",
        "image, mask = transform(tv_tensors.Image(image), tv_tensors.Mask(mask)) with torchvision.transforms.v2: one draw for both",
        where="train_loader.dataset",
        kinds=moves,
    )


CHECKS = (left_behind, too_strong, order)
