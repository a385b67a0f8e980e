"""BatchNorm: mode, momentum, statistics, batch size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.batches import BatchSize
    from trainingdoctor.measure.batchnorm import BatchNormLayers, RunningStatistics
    from trainingdoctor.measure.run_length import RunLength

IOFFE = "Ioffe & Szegedy 2015, arXiv:1502.03167, section 3.1"
WU = "Wu & He 2018, Group Normalization, arXiv:1803.08494, figure 1"


@check(
    "batchnorm.eval_in_training",
    explains=("init.*", "loss.diverges", "loss.not_learning", "lr.too_high", "batchnorm.statistics_stale"),
    references=(IOFFE,),
)
def eval_in_training(batchnorm_layers: BatchNormLayers) -> Verdicts:
    """BatchNorm layers are in evaluation mode while the model trains.

    What it does: reads the modes as the config leaves them, and again after model.train().
    Why it costs accuracy: the layer divides by running statistics that are never updated: for a fresh layer by one,
    which is no normalization at all.
    Remedy: model.train() before every training epoch, and no eval() on single layers of a fresh model.
    Thresholds: layers that have seen data (num_batches_tracked > 0) or whose scale is frozen are kept in eval mode by
    intent when fine-tuning: info.
    Measured: no measurement yet.
    """
    b = batchnorm_layers
    stuck = b.names(lambda x: x.tracked and not x.training)
    set_apart = b.names(lambda x: x.tracked and not x.given_training)
    fresh = not any(x.updates for x in b.layers)
    frozen = not any(x.trainable for x in b.layers if x.name in (stuck or set_apart))
    if stuck:
        say = critical if fresh and not frozen else info
        yield say(
            f"{len(stuck)} of {len(b.layers)} BatchNorm layers stay in eval mode after model.train()"
            + (", and their running statistics are still 0 and 1: they normalize nothing." if fresh else "."),
            "Leave them in train mode: look for a train() that is overridden, or that does not pass the mode on.",
            where=stuck,
            layers=len(stuck),
        )
    elif set_apart:
        some = (
            "the model is handed over in eval mode"
            if not b.model_training
            else f"{len(set_apart)} of {len(b.layers)} are in eval mode"
        )
        say = warning if fresh and not frozen else info
        yield say(
            f"BatchNorm: {some}, though it has not seen any data yet.",
            "Call model.train() at the start of every training epoch, and eval() on no single layer.",
            where=set_apart,
            confidence=0.75,
            layers=len(set_apart),
        )
    else:
        yield Note(f"all {len(b.layers)} layers train")


@check("batchnorm.momentum", explains=("batchnorm.statistics_stale",), references=(IOFFE,))
def momentum(
    batchnorm_layers: BatchNormLayers,
    run_length: RunLength,
    *,
    most: float = 0.9,
    hint: float = 0.65,
    left: float = 0.05,
    usual: float = 0.01,
) -> Verdicts:
    """The running statistics follow the data too fast, too slowly, or not at all.

    What it does: turns the momentum into a horizon of 1 / momentum steps, and into the share of the initial
    statistics that is left at the end of the run. In PyTorch the momentum is the share of the NEW batch: 0.1 here is
    0.9 in TensorFlow and Keras.
    Why it costs accuracy: at 0.99 evaluation uses the statistics of the last batch alone, noise that differs from
    what training saw; near 0 it uses those of the initial weights.
    Remedy: momentum=0.1.
    Thresholds: from 0.9 on it warns (a horizon of one batch); healthy short recipes use 0.4 to 0.6, so 0.65 informs;
    too slow when more than 5 % of the initial statistics are left at the end of the run (0.01, TensorFlow's 0.99, is
    fine).
    Measured: no measurement yet.
    """
    layers = [x for x in batchnorm_layers.layers if x.tracked and x.momentum is not None]
    high = [x for x in layers if (x.momentum or 0) >= hint]
    steps = run_length.steps
    slow = [x for x in layers if (x.momentum or 0) < usual and _left(x.momentum or 0, steps) > left]
    fix = "for m in model.modules():\n    if isinstance(m, nn.modules.batchnorm._BatchNorm):\n        m.momentum = 0.1"
    if high:
        value = max(x.momentum or 0 for x in high)
        say = warning if value >= most else info
        yield say(
            f"{len(high)} of {len(layers)} BatchNorm layers have momentum {value:g}: here that is the weight of the newest batch, "
            f"so their running statistics remember about {1 / value:.1f} batches. In TensorFlow's convention {value:g} means "
            f"{1 - value:.2g} here.",
            fix,
            where=tuple(x.name for x in high),
            momentum=value,
            horizon_steps=1 / value,
        )
    elif slow:
        value = max(x.momentum or 0 for x in slow)
        kept = _left(value, steps)
        say = critical if value == 0 else warning
        yield say(
            f"{len(slow)} of {len(layers)} BatchNorm layers have momentum {value:g}: {kept:.0%} of the initial statistics are left at "
            "the end of the run, so evaluation normalizes with numbers that never were the data's.",
            fix,
            where=tuple(x.name for x in slow),
            momentum=value,
        )
    elif layers:
        value = layers[0].momentum or 0.1
        yield Note(f"momentum {value:g}: a horizon of {1 / value:.0f} steps")


def _left(momentum: float, steps: int | None) -> float:
    """Share of the initial statistics after `steps` updates; all of it at momentum 0, none when the length is unknown."""
    if momentum == 0:
        return 1.0
    return 0.0 if steps is None else (1 - momentum) ** steps


@check("batchnorm.statistics_stale", cost="probe", references=(IOFFE,))
def statistics_stale(running_statistics: RunningStatistics, *, ratio: float = 1.25, points: float = 3.0) -> Verdicts:
    """The running statistics of a trained model do not fit the data.

    What it does: evaluates on real batches with the running statistics as they are, and again after measuring them
    afresh on training batches.
    Why it costs accuracy: evaluation normalizes with other numbers than training did; measured afresh, the lost
    accuracy comes back without any training.
    Remedy: torch.optim.swa_utils.update_bn(train_loader, model); then look for the cause (momentum, eval mode,
    averaged weights, other preprocessing).
    Thresholds: the loss falls by a factor of 1.25 and the accuracy rises by 3 points or more (256 samples: 3 points
    is one standard error at 50 %, and the loss must agree); or a loss twice as high with means a whole deviation off.
    Measured: no measurement yet.
    """
    r = running_statistics
    gain = None if r.accuracy is None or r.fresh_accuracy is None else r.fresh_accuracy - r.accuracy
    far_off = r.drift > 1 and r.loss > 2 * r.fresh_loss
    if far_off or (r.loss > ratio * r.fresh_loss and (gain is None or gain >= points)):
        accuracy = "" if gain is None else f", accuracy from {r.accuracy:.1f} % to {r.fresh_accuracy:.1f} %"
        yield warning(
            f"Measuring the running statistics afresh takes the evaluation loss from {r.loss:.3g} to {r.fresh_loss:.3g}{accuracy}; "
            f"they are furthest off in {r.worst_layer} ({r.drift:.2g} standard deviations).",
            "torch.optim.swa_utils.update_bn(train_loader, model)",
            where=r.worst_layer,
            loss=r.loss,
            fresh_loss=r.fresh_loss,
            drift=r.drift,
        )
    else:
        yield Note(f"evaluation loss {r.loss:.3g}, {r.fresh_loss:.3g} with fresh statistics")


@check(
    "batchnorm.untracked",
    explains=("model.batch_mixing",),
    references=("PyTorch documentation, torch.nn.BatchNorm2d, track_running_stats",),
)
def untracked(batchnorm_layers: BatchNormLayers) -> Verdicts:
    """BatchNorm without running statistics: evaluation depends on what else is in the batch.

    What it does: finds track_running_stats=False.
    Why it costs accuracy: the accuracy then changes with the evaluation's batch size and order.
    Remedy: track_running_stats=True, the default.
    Thresholds: none.
    Measured: no measurement yet.
    """
    names = batchnorm_layers.names(lambda x: not x.tracked)
    if names:
        yield warning(
            f"{len(names)} of {len(batchnorm_layers.layers)} BatchNorm layers keep no running statistics: evaluation normalizes with "
            "each evaluation batch.",
            "nn.BatchNorm2d(..., track_running_stats=True)",
            where=names,
            layers=len(names),
        )


@check("batchnorm.frozen_affine")
def frozen_affine(batchnorm_layers: BatchNormLayers) -> Verdicts:
    """Scale and shift of BatchNorm are absent, or not trained.

    What it does: reads affine and requires_grad.
    Why it costs accuracy: usually little; some tuned recipes do it on purpose.
    Remedy: affine=True and requires_grad_(True), the defaults.
    Thresholds: an info only.
    Measured: no measurement yet.
    """
    names = batchnorm_layers.names(lambda x: not x.affine or not x.trainable)
    if names:
        yield info(
            f"{len(names)} of {len(batchnorm_layers.layers)} BatchNorm layers have no trainable scale.",
            "nn.BatchNorm2d(..., affine=True), with requires_grad left True",
            where=names,
            layers=len(names),
        )


@check("batchnorm.small_batch", cost="probe", explains=("lr.too_high", "loss.*"), references=(WU,))
def small_batch(
    batchnorm_layers: BatchNormLayers, batch_size: BatchSize, *, least: int = 8, hint: int = 16
) -> Verdicts:
    """Too few samples in a batch for BatchNorm.

    What it does: compares the training batch with the layers that take their statistics from it.
    Why it costs accuracy: statistics of a few samples are noise; ImageNet error rises from 23.6 % at 32 samples to
    27.3 % at 4 and 34.7 % at 2 (Wu & He 2018, figure 1).
    Remedy: a larger batch, GroupNorm, or SyncBatchNorm over several devices. Gradient accumulation does not help.
    Thresholds: under 8 warns, under 16 informs, after that figure.
    Measured: no measurement yet.
    """
    live = batchnorm_layers.names(lambda x: x.training)
    size = batch_size.samples
    if live and size < hint:
        say = critical if size == 1 else warning if size < least else info
        yield say(
            f"{len(live)} BatchNorm layers take their statistics from batches of {size}.",
            f"batch_size={max(32, hint)} or more, or nn.GroupNorm in place of BatchNorm",
            where="train_loader.batch_size",
            batch_size=size,
        )
    elif live:
        yield Note(f"batches of {size}")


CHECKS = (eval_in_training, momentum, statistics_stale, untracked, frozen_affine, small_batch)
