"""Augmentation, judged by behaviour: the same samples drawn several times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.augmentation import AugmentationPairs
    from trainingdoctor.measure.layers import Architecture
    from trainingdoctor.measure.run_length import RunLength
    from trainingdoctor.measure.workers import WorkerDraws

HE = "He et al. 2015, arXiv:1512.03385, section 4.2: 4 pixels padded, random crop, horizontal flip"
CUTOUT = "DeVries & Taylor 2017, arXiv:1708.04552, table 1"
CROP = "transforms.RandomCrop({side}, padding={padding})"
FLIP = "transforms.RandomHorizontalFlip()"


def _recipe(pairs: AugmentationPairs) -> str:
    crop = CROP.format(side=pairs.side, padding=max(1, pairs.side // 8))
    return f"Add to the training transforms, before ToTensor: {crop}, {FLIP}"


@check("augmentation.missing", cost="probe", references=(HE, CUTOUT))
def missing(
    augmentation_pairs: AugmentationPairs,
    run_length: RunLength,
    architecture: Architecture,
    *,
    many: int = 200_000,
    long_run: int = 10,
) -> Verdicts:
    """The training images never vary.

    What it does: draws the same training samples several times through data set, collate function and
    augment_on_device; all draws are equal.
    Why it costs accuracy: a net that sees each of 50,000 images 160 times learns them by heart. With crop and flip a
    ResNet-18 goes from 10.6 % error on CIFAR-10 to 4.7 % (DeVries & Taylor 2017, table 1: C10 against C10+).
    Remedy: random crop with padding and horizontal flip, in the training pipeline only.
    Thresholds: colour images of at most 200,000 samples, trained for 10 epochs or more by a net with convolutions or
    attention, warn. Grey images (digits reach 99 % without), targets per pixel, no targets or all the same (a GAN), short
    runs and other data: info, or nothing, as for a run of one epoch.
    Measured: no measurement yet.
    """
    p = augmentation_pairs
    if p.varies:
        yield Note(f"the draws differ: {', '.join(p.kinds)}")
        return
    if not p.image or p.uses_randomness or run_length.epochs == 1:
        return
    small = p.size is not None and p.size <= many
    long = run_length.epochs is None or run_length.epochs >= long_run
    spatial = architecture.convolutions > 0 or architecture.attention > 0
    say = warning if p.channels >= 3 and small and long and spatial and not p.per_pixel and p.supervised else info
    seen = f", and each is shown {run_length.epochs} times" if run_length.epochs else ""
    yield say(
        f"{p.samples} training images drawn {p.draws} times each came out identical every time: there is no augmentation"
        f"{f' of the {p.size:,} images' if p.size else ''}{seen}.",
        _recipe(p),
        where="train_loader.dataset.transform",
        draws=p.draws,
        size=p.size,
    )


@check("augmentation.weak", cost="probe", references=(HE,))
def weak(augmentation_pairs: AugmentationPairs, *, many: int = 200_000, least: int = 24) -> Verdicts:
    """The training images vary, but less than the recipes for such data do.

    What it does: aligns draws of the same image and tells mirrored, shifted, colour, erased and mixed apart.
    Why it costs accuracy: shift and mirror carry most of the gain on small natural images; either alone gives part of
    it.
    Remedy: random crop with padding, and horizontal flip.
    Thresholds: small colour images with mirrors alone, or colour or noise alone: warning. Targets per pixel, and shift
    without mirror, which is right for digits and text: info.
    Measured: no measurement yet.
    """
    p = augmentation_pairs
    if not p.varies or not p.image or p.channels < 3 or p.side < least or p.size is None or p.size > many:
        return
    kinds = set(p.kinds)
    if kinds & {"other", "mixed", "erased"}:
        yield Note(f"the draws differ: {', '.join(sorted(kinds))}")
    elif "shifted" not in kinds:
        say = info if p.per_pixel else warning
        yield say(
            f"Draws of the same image differ only by: {', '.join(sorted(kinds))}. They are never shifted or cropped.",
            f"Add {CROP.format(side=p.side, padding=max(1, p.side // 8))} to the training transforms.",
            where="train_loader.dataset.transform",
            confidence=0.8,
            kinds=dict(p.kinds),
        )
    elif "mirrored" not in kinds:
        yield info(
            "Draws of the same image are shifted but never mirrored.",
            f"Add {FLIP}, unless left and right mean something (digits, text).",
            where="train_loader.dataset.transform",
            kinds=dict(p.kinds),
        )


@check("augmentation.on_evaluation", cost="probe")
def on_evaluation(evaluation_pairs: AugmentationPairs) -> Verdicts:
    """The evaluation samples vary.

    What it does: draws the same evaluation samples several times.
    Why it costs accuracy: the measured accuracy is that of cropped, mirrored or noisy images, and changes from
    evaluation to evaluation.
    Remedy: transforms for evaluation without anything random.
    Thresholds: any difference between draws.
    Measured: no measurement yet.
    """
    p = evaluation_pairs
    if p.varies:
        yield warning(
            f"{p.samples} evaluation samples drawn {p.draws} times each differ ({', '.join(p.kinds) or 'values'}): the evaluation set is augmented.",
            "Give the evaluation data set its own transform: Compose([ToTensor(), Normalize(...)])",
            where="val_loader.dataset.transform",
            kinds=dict(p.kinds),
        )
    else:
        yield Note(f"{p.samples} samples drawn {p.draws} times are identical")


@check("augmentation.frozen", cost="probe", explains=("augmentation.missing",))
def frozen(augmentation_pairs: AugmentationPairs) -> Verdicts:
    """The transforms are random, and yet every epoch shows the same images.

    What it does: draws the same samples several times; the draws are equal although random numbers were drawn or the
    transforms are random by their names.
    Why it costs accuracy: as no augmentation at all. It happens when augmented samples are cached, or a seed is set
    in __getitem__.
    Remedy: cache before, not after the random transforms; do not seed per sample.
    Thresholds: exact equality of all draws of all samples.
    Measured: no measurement yet.
    """
    p = augmentation_pairs
    if not p.varies and p.uses_randomness and p.image:
        yield warning(
            f"The training transforms are random, but {p.samples} samples drawn {p.draws} times each came out identical every time.",
            "Look for a cache of augmented samples and for manual_seed in __getitem__ or in a transform; apply random transforms after the cache.",
            where="train_loader.dataset",
            draws=p.draws,
        )


@check(
    "augmentation.same_in_workers",
    cost="probe",
    references=("PyTorch documentation, torch.utils.data, Randomness in multi-process data loading",),
)
def same_in_workers(worker_draws: WorkerDraws) -> Verdicts:
    """Worker processes share a random state.

    What it does: lets two workers draw the same sample repeatedly, in two epochs, with the user's worker_init_fn.
    Why it costs accuracy: all workers make the same random choices, or every epoch repeats those of the first: less
    augmentation than it looks.
    Remedy: np.random.default_rng(torch.initial_seed() % 2**32) made inside the worker; no constant seed in
    worker_init_fn.
    Thresholds: exact equality of whole sequences. torch seeds Python, NumPy and torch per worker itself; what it
    cannot seed is a generator that the data set owns.
    Measured: no measurement yet.
    """
    w = worker_draws
    if w.varies and (w.same_across or w.same_epochs):
        what = "two workers drew the same sequence" if w.same_across else "the second epoch repeated the first"
        seed = "torch.initial_seed() % 2**32"
        anew = f"{w.seeded}.set_random_seed({seed})" if w.seeded else f"rng = np.random.default_rng({seed})"
        yield warning(
            f"Of {w.draws} draws of one sample in each of two workers, {what}: they copy one random state.",
            "def seed_worker(_):\n    dataset = torch.utils.data.get_worker_info().dataset\n"
            f"    dataset.{anew}\nDataLoader(..., worker_init_fn=seed_worker)",
            where="train_loader.worker_init_fn",
            same_across=w.same_across,
            same_epochs=w.same_epochs,
        )
    else:
        yield Note("two workers draw different sequences, and so do two epochs")


CHECKS = (missing, weak, on_evaluation, frozen, same_in_workers)
