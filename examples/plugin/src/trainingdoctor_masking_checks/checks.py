"""Judged from the loss mask: padding that the loss counts, and samples of which it counts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor_masking_checks.evidence import LossMask

CROSS_ENTROPY = "PyTorch documentation, torch.nn.CrossEntropyLoss, ignore_index"


@check("masking.padding_counted", cost="probe", references=(CROSS_ENTROPY,))
def padding_counted(loss_mask: LossMask, *, most: float = 0.5) -> Verdicts:
    """The loss counts the padding of the texts.

    What it does: finds the token that fills the ends of the texts and stands nowhere else, and whether the loss has a
    gradient there. Padding in front of the texts is not looked for.
    Why it costs accuracy: the mean is taken over easy padding too, which divides the gradient of the real tokens; the
    reported loss and accuracy look better than they are.
    Remedy: ignore_index=<the padding token>, or -100 as the target wherever the input is padding.
    Thresholds: warns when half of what the loss counts is padding; less is an info. At a half the measurement below
    shows a loss with either optimizer that is well over the spread of its seeds.
    Measured: next-character accuracy of a small text model after 600 steps, three seeds (benchmarks/padding.py). SGD:
    57.8 ± 0.3 % without padding, 55.8 ± 0.4 with 22 % of it, 52.7 ± 0.3 with 49 %; with 80 % two of three trainings
    diverged. AdamW: 58.2 ± 0.1, 57.7 ± 0.1, 56.7 ± 0.2 and 54.7 ± 0.2 %.
    """
    m = loss_mask
    if not m.padding:
        return
    share = m.counted_padding / max(m.counted, 1)
    if m.counted_padding:
        say = warning if share >= most else info
        yield say(
            f"{m.counted_padding:,} of the {m.counted:,} targets that the loss counts are padding ({share:.0%}): the mean "
            f"divides the gradient of the real ones by {1 / max(1 - share, 1e-3):.1f}.",
            "nn.CrossEntropyLoss(ignore_index=PAD)  # or targets[inputs == PAD] = -100",
            where="criterion",
            share=share,
            samples=m.samples,
        )
    else:
        yield Note(f"{m.padding:,} of {m.positions:,} positions are padding, and the loss ignores them")


@check(
    "masking.nothing_counted",
    cost="probe",
    explains=("loss.nonfinite", "loss.not_learning", "model.unused_parameters", "lr.*"),
    references=(CROSS_ENTROPY,),
)
def nothing_counted(loss_mask: LossMask) -> Verdicts:
    """The loss ignores every target of a sample.

    What it does: counts the samples in which no target has a gradient.
    Why it costs accuracy: nothing is learned from such a sample; a batch of them alone has the mean of no numbers for
    its loss, NaN.
    Remedy: look where the targets are masked: a text cut off before its answer, a marker of the answer that is not
    found, void around a crop.
    Thresholds: critical when it is every sample that was drawn; some are an info, since crops of mostly void images
    are usual.
    Measured: on torch 2.14, the gradient of such a batch is zero and not NaN (CrossEntropyLoss with and without
    weights and label smoothing): the weights survive it, the mean loss of the epoch does not.
    """
    m = loss_mask
    if m.blind == m.samples:
        yield critical(
            f"The loss has no gradient at any of the {m.positions:,} targets of {m.samples} samples: it ignores them all.",
            "Print one sample's targets: they must hold more than ignore_index.",
            where="train_loader.dataset",
            samples=m.samples,
        )
    elif m.blind:
        yield info(
            f"The loss ignores every target of {m.blind} of {m.samples} samples.",
            "Leave such samples out of the data set, or cut texts and crops so that some target stays.",
            where="train_loader.dataset",
            samples=m.samples,
            blind=m.blind,
        )
    else:
        yield Note(f"the loss counts {m.counted:,} of {m.positions:,} targets, some in each of {m.samples} samples")
