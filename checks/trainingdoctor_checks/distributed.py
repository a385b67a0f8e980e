"""Several processes: what each of them does with its part of the data, and whether they learn from one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Unavailable, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.batches import BatchSize
    from trainingdoctor.measure.batchnorm import BatchNormLayers
    from trainingdoctor.measure.optimizers import Group
    from trainingdoctor.observing.seen import DistributedSeen
    from trainingdoctor.observing.trace import LoopTrace

DDP = "https://pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html"
SAMPLER = "https://pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler"


def _several(trace: LoopTrace) -> DistributedSeen:
    if trace.distributed is None:
        raise Unavailable("one process trains this model")
    return trace.distributed


@check("distributed.sampler_epoch", explains=("data.not_shuffled",), references=(SAMPLER,))
def sampler_epoch(loop_trace: LoopTrace) -> Verdicts:
    """The DistributedSampler is never told the epoch: each epoch has the same order.

    What it does: reads the epoch of the training loader's sampler at the start of each pass.
    Why it costs accuracy: every epoch shows the samples in the order of the first, split over the processes alike.
    Remedy: train_sampler.set_epoch(epoch) at the start of each epoch.
    Thresholds: two passes with the same number, where the sampler shuffles.
    Measured: no measurement yet.
    """
    for epochs in _several(loop_trace).sampler_epochs:
        if len(epochs) >= 2 and len(set(epochs)) == 1:
            yield warning(
                f"{len(epochs)} passes through the training data began with the sampler at epoch {epochs[0]}: all have the same order.",
                "train_sampler.set_epoch(epoch)  # at the start of each epoch",
                where="train_loader.sampler",
                passes=len(epochs),
            )
        else:
            yield Note(f"the sampler's epochs: {', '.join(map(str, epochs))}")


@check("distributed.bypassed", references=(DDP,))
def bypassed(loop_trace: LoopTrace) -> Verdicts:
    """The model is trained past its DistributedDataParallel wrapper, or without one: the processes do not share gradients.

    What it does: counts training forwards through the wrapper, and of its module past it.
    Why it costs accuracy: each process trains a model of its own, on its own part of the data; one of them is saved.
    Remedy: call the wrapper: outputs = ddp_model(inputs).
    Thresholds: any training forward past the wrapper while none goes through it; several processes and no wrapper.
    Measured: no measurement yet.
    """
    seen = _several(loop_trace)
    if seen.bypassed and not seen.through:
        yield critical(
            f"{seen.bypassed} training forwards went to the module inside of DistributedDataParallel and none through the wrapper: gradients are not shared.",
            "outputs = ddp_model(inputs)  # not ddp_model.module(inputs)",
            where=loop_trace.backward_at,
            bypassed=seen.bypassed,
        )
    elif seen.world > 1 and not seen.wrapped:
        yield warning(
            f"{seen.world} processes train, and none wraps its model in DistributedDataParallel: gradients are not shared, unless the loop does it by hand.",
            "model = torch.nn.parallel.DistributedDataParallel(model)",
            where=loop_trace.backward_at,
            confidence=0.6,
        )
    else:
        yield Note(f"{seen.through} training forwards through DistributedDataParallel")


@check(
    "distributed.batchnorm",
    cost="probe",
    explains=("batchnorm.small_batch",),
    references=("Wu & He 2018, Group Normalization, arXiv:1803.08494, figure 1",),
)
def batchnorm(
    loop_trace: LoopTrace, batch_size: BatchSize, batchnorm_layers: BatchNormLayers, *, least: int = 8
) -> Verdicts:
    """BatchNorm takes its statistics from one process's few samples.

    What it does: compares the samples per process with what BatchNorm needs, where it is not synchronized.
    Why it costs accuracy: statistics of few samples are noise, and evaluation uses others.
    Remedy: torch.nn.SyncBatchNorm.convert_sync_batchnorm(model) before wrapping it.
    Thresholds: under 8 samples a process: ResNet-50 on ImageNet has an error of 23.6 % at 32 samples, 24.8 at 8, 27.3 at 4
    and 34.7 at 2 (Wu & He 2018).
    Measured: no measurement yet.
    """
    seen = _several(loop_trace)
    if seen.world > 1 and batch_size.samples < least and not any(b.synchronized for b in batchnorm_layers.layers):
        yield warning(
            f"BatchNorm sees {batch_size.samples} samples in each of {seen.world} processes, and is not synchronized.",
            "model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)  # before DistributedDataParallel",
            where=batchnorm_layers.layers[0].name,
            samples=batch_size.samples,
        )
    else:
        yield Note(f"{batch_size.samples} samples a process")


@check(
    "distributed.lr",
    cost="probe",
    references=("Goyal et al. 2017, arXiv:1706.02677, section 2.1 (linear scaling)",),
)
def rate(
    loop_trace: LoopTrace,
    parameter_groups: tuple[Group, ...],
    batch_size: BatchSize,
    *,
    least: int = 4,
    classic: float = 0.1,
) -> Verdicts:
    """The rate is the one for a single process.

    What it does: compares SGD's rate with the classic 0.1 at 256 samples, once for one process and once for all.
    Why it costs accuracy: N processes make N times fewer steps of the same size.
    Remedy: the rate times the number of processes, with a warm-up of some epochs.
    Thresholds: at least 4 processes, SGD with momentum, and a rate that is between half and twice the linear rule for one
    process, which for all is under half of it. An info: whoever splits one batch over the processes has scaled already.
    Measured: no measurement yet.
    """
    seen = _several(loop_trace)
    group = parameter_groups[0]
    if group.adaptive or not group.momentum or seen.world < least:
        return
    single = classic * batch_size.samples / 256
    if 0.5 * single <= group.lr <= 2 * single:
        yield info(
            f"The rate {group.lr:g} fits {batch_size.samples} samples a step; {seen.world} processes make {seen.world * batch_size.samples}.",
            f"lr={group.lr * seen.world:g}, warmed up over the first 5 epochs",
            where="optimizer.param_groups[0].lr",
            world=seen.world,
        )


CHECKS = (sampler_epoch, bypassed, batchnorm, rate)
