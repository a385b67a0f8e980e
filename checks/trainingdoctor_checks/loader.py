"""The loaders: last batches, workers, speed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.indices import Drawn
    from trainingdoctor.measure.lengths import LoaderLengths
    from trainingdoctor.measure.loading_speed import LoadingSpeed
    from trainingdoctor.measure.pretraining import Pretraining
    from trainingdoctor.measure.run_length import RunLength

HOFFER = "Hoffer et al. 2017, Train longer, generalize better, arXiv:1705.08741"
SAMPLER = "https://pytorch.org/docs/stable/data.html#torch.utils.data.WeightedRandomSampler"
JORDAN = "Jordan 2024, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, arXiv:2404.00498"


@check("loader.batch_size_one", explains=("batchnorm.small_batch",))
def batch_size_one(loader_lengths: LoaderLengths) -> Verdicts:
    """The training loader gives single samples.

    What it does: reads the batch size.
    Why it costs accuracy: BatchNorm has nothing to average over, and the gradient of one sample is noise.
    Remedy: batch_size=32 or more.
    Thresholds: 1, on more than 1,000 samples; on few samples it is a choice.
    Measured: no measurement yet.
    """
    n = loader_lengths
    if n.train_batch_size == 1 and (n.train_samples or 0) > 1_000:
        yield warning(
            f"train_loader gives one sample at a time, {n.train_samples:,} steps an epoch.",
            "DataLoader(..., batch_size=128)",
            where="train_loader.batch_size",
        )


@check("loader.batch_size_huge", explains=("lr.*", "schedule.*", "data.subset"), references=(HOFFER, JORDAN))
def batch_size_huge(
    run_length: RunLength, pretraining: Pretraining, *, steps: int = 400, samples: int = 5_000, batch: int = 2_048
) -> Verdicts:
    """The batch is so large that the whole run makes hardly any steps.

    What it does: counts the optimizer steps of the run.
    Why it costs accuracy: what a net learns depends on the number of its updates, not of the epochs (Hoffer et al.
    2017): with the whole set as one batch fifty epochs are fifty steps.
    Remedy: the batch size in the finding.
    Thresholds: under 400 steps from scratch on 5,000 samples and more, in batches of 2,048 and more. The fastest tuned
    CIFAR-10 recipe that is known makes about 480 (Jordan 2024: 9.9 epochs in batches of 1,024).
    Measured: no measurement yet.
    """
    total, size = run_length.steps, run_length.samples
    if total is None or size is None or pretraining.done or total >= steps or size < samples:
        return
    per_step = size * (run_length.epochs or 1) // max(total, 1)
    if per_step >= batch:
        yield warning(
            f"The whole run makes {total} steps: {run_length.epochs} epochs of {size:,} samples in batches of about {per_step:,}.",
            "DataLoader(..., batch_size=128), and the rate in proportion to the batch",
            where="train_loader.batch_size",
            steps=total,
        )


@check(
    "loader.few_samples",
    cost="probe",
    explains=(
        "labels.missing_class",
        "data.imbalance",
        "data.duplicates",
        "normalization.columns_mismatch",
        "model.ignores_input",
    ),
    references=(SAMPLER,),
)
def few_samples(drawn: Drawn, *, share: float = 0.1, least: int = 1_000) -> Verdicts:
    """The sampler gives the same few samples again and again.

    What it does: reads one epoch of indices off the sampler, and counts the different ones.
    Why it costs accuracy: the rest of the data is never seen. It happens when WeightedRandomSampler gets one weight per class where it
    takes one per sample: it then draws from as many samples as there are classes, and the data set's first ones at that.
    Remedy: weights = class_weights[targets], one for each sample.
    Thresholds: `least` draws or more, of which less than a tenth are different. Drawing evenly with replacement gives 63 %; ten classes
    of which one is a hundred times as frequent as each other, drawn equally often, give 18 %, a thousand times 10.4 %.
    Measured: no measurement; arithmetic.
    """
    d = drawn
    if d.draws >= least and d.different < share * min(d.draws, d.size):
        yield critical(
            f"An epoch of {d.draws:,} draws shows {d.different:,} different samples of {d.size:,}: the others are never seen.",
            "WeightedRandomSampler(class_weights[targets], len(targets)): one weight for each sample",
            where="train_loader.sampler",
            draws=d.draws,
            different=d.different,
        )
    else:
        yield Note(f"{d.different:,} different samples in {d.draws:,} draws")


@check("loader.last_batch", references=("PyTorch documentation, torch.utils.data.DataLoader, drop_last",))
def last_batch(loader_lengths: LoaderLengths, *, lost: float = 0.1, least: int = 8) -> Verdicts:
    """The last batch holds one sample, or dropping it discards data that is needed.

    What it does: divides the number of samples by the batch size.
    Why it costs accuracy: BatchNorm stops with an error on a last training batch of one sample (after a whole epoch);
    drop_last on evaluation data measures the accuracy of a part of it.
    Remedy: drop_last=True for training, False for evaluation.
    Thresholds: a remainder of exactly 1 with BatchNorm; more than 10 % of the training samples dropped, 8 at least
    (less is a toy's), any evaluation samples dropped.
    Measured: no measurement yet.
    """
    n = loader_lengths
    if n.train_remainder == 1 and not n.train_drop_last and n.has_batchnorm:
        yield warning(
            f"{n.train_samples:,} samples in batches of {n.train_batch_size} leave a last batch of one, on which BatchNorm fails or takes its statistics.",
            "DataLoader(train_set, ..., drop_last=True)",
            where="train_loader.drop_last",
        )
    dropped = n.train_remainder if n.train_drop_last and n.train_remainder else 0
    if n.train_samples and dropped >= least and dropped > lost * n.train_samples:
        yield warning(
            f"drop_last discards {dropped:,} of {n.train_samples:,} training samples every epoch.",
            "a smaller batch_size, or drop_last=False",
            where="train_loader.drop_last",
            dropped=dropped,
        )
    if n.val_drop_last and n.val_remainder:
        yield info(
            f"drop_last leaves {n.val_remainder:,} of {n.val_samples:,} evaluation samples out of the accuracy.",
            "DataLoader(val_set, ..., drop_last=False)",
            where="val_loader.drop_last",
            dropped=n.val_remainder,
        )


@check("loader.bottleneck", cost="probe")
def bottleneck(loading_speed: LoadingSpeed, *, most: float = 1.5) -> Verdicts:
    """Loading is slower than training, whatever the number of workers.

    What it does: times the data set and collate function alone, and a training step alone.
    Why it costs accuracy: it costs time, not accuracy: the device waits for data.
    Remedy: data kept in memory or decoded once, or augmentation on the device.
    Thresholds: loading with one worker per core takes 1.5 times as long as the step; an info only.
    Measured: no measurement yet.
    """
    s = loading_speed
    ratio = s.load / s.cores / s.train
    if ratio > most:
        yield info(
            f"Loading takes {1000 * s.load:.2g} ms a sample in one process, a training step {1000 * s.train:.2g} ms: even {s.cores} workers (the cores here) "
            f"keep the {s.device} waiting {1 - 1 / ratio:.0%} of the time.",
            "Decode and resize once, keep the data in memory as tensors, or augment on the device.",
            where="train_loader",
            ratio=ratio,
            enough_workers=s.enough_workers,
        )
    else:
        yield Note(f"loading {1000 * s.load:.2g} ms a sample, training {1000 * s.train:.2g} ms, {s.workers} workers")


@check("loader.workers", cost="probe")
def workers(loading_speed: LoadingSpeed, *, gain: float = 1.2, most: int = 2) -> Verdicts:
    """Another number of worker processes is faster.

    What it does: computes from the measured times of loading and of a step how long a sample takes with a number of
    workers: the sum of both without any, else the longer of the step and the loading divided by the workers.
    Why it costs accuracy: it costs time, not accuracy.
    Remedy: the number in the finding.
    Thresholds: a fifth faster, or more than twice as many workers as cores; an info only.
    Measured: no measurement yet.
    """
    s = loading_speed
    if s.gain > gain:
        yield info(
            f"With {s.workers} workers a sample takes {1000 * s.seconds(s.workers):.2g} ms, with {s.best_workers} "
            f"{1000 * s.seconds(s.best_workers):.2g} ms ({s.gain:.1f} times faster): loading {1000 * s.load:.2g}, training {1000 * s.train:.2g}.",
            f"DataLoader(..., num_workers={s.best_workers}, persistent_workers=True)",
            where="train_loader.num_workers",
            gain=s.gain,
            best_workers=s.best_workers,
        )
    elif s.workers > most * s.cores:
        yield info(
            f"{s.workers} workers on {s.cores} cores.", f"num_workers={s.cores}", where="train_loader.num_workers"
        )


CHECKS = (batch_size_one, batch_size_huge, few_samples, last_batch, bottleneck, workers)
