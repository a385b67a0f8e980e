"""How a loop goes through its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.observing.trace import LoopTrace

BENGIO = "Bengio 2012, Practical recommendations for gradient-based training, arXiv:1206.5533, section 3.1.1"
MIXUP = "Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization, arXiv:1710.09412, section 2"


@check("loop.epoch_cut", explains=("data.subset", "epochs.too_few"))
def epoch_cut(loop_trace: LoopTrace, *, most: float = 1.0) -> Verdicts:
    """The loop leaves each pass through the training data after a few batches.

    What it does: notes passes that the script itself did not go through to their end before it began the next one.
    Why it costs accuracy: a `break` left from debugging, or a `return` indented too far: what is called an epoch is a few batches.
    Remedy: take the break out.
    Thresholds: two passes or more, all left after equally many batches, and all planned epochs together are less than one
    pass through the data. Where they are more, as with epochs that are defined as a number of steps, an info.
    Measured: no measurement yet.
    """
    t = loop_trace
    passes = [p for p in t.of("training") if p.batches]
    left = [p for p in passes if p.left]
    planned = t.training_batches
    if (
        len(left) < 2
        or len(left) < len(passes) - 1
        or len({p.batches for p in left}) > 1
        or not planned
        or not t.epochs
    ):
        return
    batches = left[0].batches
    seen = t.epochs * batches / planned
    say = warning if seen < most else info
    yield say(
        f"Each pass through the training data is left after {batches} of {planned:,} batches: {t.epochs} epochs are {seen:.2g} passes.",
        "no break in the loop over the batches, nor a return within it",
        where=left[0].where,
        batches=batches,
        passes=seen,
    )


@check("loop.same_slice", explains=("data.duplicates", "labels.missing_class", "data.imbalance", "loss.*", "lr.*"))
def same_slice(loop_trace: LoopTrace, *, least: int = 8, parts: int = 8) -> Verdicts:
    """Every step trains on the same part of the data.

    What it does: in a loop without loaders, looks from where in which tensor the inputs of each step are cut; in one with a loader, whether a batch was
    taken from it and its iterator let go, ten steps and more before.
    Why it costs accuracy: an index that was forgotten, as in x[:batch_size]: one batch is learned by heart, the rest is never seen.
    Remedy: x[i : i + batch_size], y[i : i + batch_size].
    Thresholds: `least` steps on one place in a tensor of `parts` times the size and more, cut anew each time: one that is cut before the
    loop, or makes up much of the tensor, is the training part of a split.
    Measured: no measurement; arithmetic.
    """
    if loop_trace.on_one_batch >= least:
        yield warning(
            f"All {loop_trace.on_one_batch} steps that were seen train on one batch: the loop takes it from a loader of many, and no other one after it.",
            "for inputs, targets in train_loader: in each epoch; next(iter(train_loader)) before the loop is a test of whether one batch can be learned",
            where=loop_trace.backward_at,
            confidence=0.8,
            steps=loop_trace.on_one_batch,
        )
        return
    seen = loop_trace.slices
    if seen is None or seen.steps < least:
        return
    if seen.places == 1 and seen.parts < parts:
        return
    if seen.places == 1:
        yield warning(
            f"All {seen.steps} steps train on one and the same slice, a {seen.parts}th of the tensor that it is cut from.",
            "x[i : i + batch_size], y[i : i + batch_size]",
            where=loop_trace.backward_at,
            confidence=0.8,
            steps=seen.steps,
        )
    else:
        yield Note(f"{seen.places} different slices in {seen.steps} steps")


@check("loop.data_overwritten", explains=("normalization.*", "data.constant", "augmentation.*"))
def data_overwritten(loop_trace: LoopTrace, *, least: int = 8) -> Verdicts:
    """The loop writes into the data that it trains on.

    What it does: in a loop without loaders whose inputs are slices of one tensor, looks whether that tensor is written to from step to
    step (its version, which PyTorch counts).
    Why it costs accuracy: x[i:j] is no copy: xb.div_(255) or xb -= mean on it changes the data, again in each epoch, until nothing of it
    is left.
    Remedy: xb = xb / 255, or the same once, before the loop.
    Thresholds: `least` steps, on different slices, with something written before more than half of them. A buffer that is filled anew
    for each step is always the same slice.
    Measured: no measurement; arithmetic.
    """
    seen = loop_trace.slices
    if seen is not None and seen.steps >= least and seen.places > 1 and seen.changes > seen.steps / 2:
        yield critical(
            f"Before {seen.changes} of {seen.steps} steps something was written into the tensor that the batches are slices of.",
            "No operation in place (x.sub_(), x /= 255) on a slice of the data: xb = (xb - mean) / std makes a copy.",
            where=loop_trace.backward_at,
            changes=seen.changes,
        )


@check("loop.targets_unmixed", explains=("augmentation.too_strong", "labels.*"), references=(MIXUP,))
def targets_unmixed(loop_trace: LoopTrace, *, least: int = 3, spread: float = 0.1) -> Verdicts:
    """The loop mixes the samples of a batch, and not their targets, or these the wrong way round.

    What it does: tells from the batches of the loader and the model's inputs whether each sample is partly another one (mixup, CutMix),
    and whether the loss gets the loader's targets alone, or both with the share that belongs to the other.
    Why it costs accuracy: half of the samples are mostly another class than their target says.
    Remedy: the loss of both targets, in the same shares.
    Thresholds: `least` batches in which the targets weigh as much as the other sample does, to a tenth, or with shares that differ by more than 0.1 from batch to batch. The same share of a half in each is
    a published augmentation (SamplePairing, Inoue 2018, arXiv:1801.02929).
    Measured: no measurement yet.
    """
    shares = loop_trace.unmixed
    if len(shares) >= least and max(shares) - min(shares) > spread:
        yield warning(
            f"In {len(shares)} batches each sample is partly another one ({min(shares):.0%} to {max(shares):.0%} of it), and the loss gets the "
            "targets of the batch as they are.",
            "loss = lam * criterion(outputs, targets) + (1 - lam) * criterion(outputs, targets[order])",
            where=loop_trace.backward_at,
            batches=len(shares),
        )
    elif len(loop_trace.mixed_wrongly) >= least:
        swapped = loop_trace.mixed_wrongly
        yield warning(
            f"In {len(swapped)} batches each sample is partly another one, and the two targets are the wrong way round: where that one makes up "
            f"{swapped[0]:.0%}, the sample's own target weighs {swapped[0]:.0%}.",
            "lam = 1 - (area of the pasted box) / (height * width), and loss = lam * criterion(outputs, targets) + (1 - lam) * criterion(outputs, "
            "targets[order])",
            where=loop_trace.backward_at,
            batches=len(swapped),
        )


@check(
    "loop.reseeded",
    explains=("augmentation.*", "data.not_shuffled", "data.duplicates", "regularization.*"),
    references=(BENGIO,),
)
def reseeded(loop_trace: LoopTrace) -> Verdicts:
    """Every epoch begins with the same random state.

    What it does: compares the state of the generator that shuffles the training data where its passes begin.
    Why it costs accuracy: the samples come in the same order in each epoch, and the random transforms and dropout draw the
    same again: what should vary is learned by heart.
    Remedy: torch.manual_seed(...) once, before the loop; torch.random.fork_rng() around what needs a seed of its own.
    Thresholds: one pass that begins with the state of the pass before, where the sampler shuffles and the optimizer is the same
    one; between two passes without a new seed the state cannot return.
    Measured: no measurement yet.
    """
    if loop_trace.reseeded:
        yield warning(
            "Each pass through the training data begins with the same random state: the order, the augmentation and the dropout of one "
            "epoch are those of the epoch before.",
            "torch.manual_seed(...), or the generator's, once before the loop; torch.random.fork_rng() around what needs a seed of its own",
            where=next((p.where for p in loop_trace.of("training")), ""),
            passes=loop_trace.reseeded,
        )
    elif len(loop_trace.of("training")) > 1:
        yield Note("the passes begin with different random states")


CHECKS = (epoch_cut, same_slice, data_overwritten, targets_unmixed, reseeded)
