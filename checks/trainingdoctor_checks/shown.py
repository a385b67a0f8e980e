"""What is to be predicted must not be in what the model is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.shown import SequenceUse, TargetColumns

VASWANI = "Vaswani et al. 2017, Attention Is All You Need, arXiv:1706.03762, section 3.2.3"
KAUFMAN = "Kaufman et al. 2012, Leakage in data mining, ACM TKDD 6(4), doi:10.1145/2382577.2382579"


@check("labels.visible", cost="probe", explains=("history.*", "accuracy.gap"), references=(VASWANI,))
def visible(sequence_use: SequenceUse, *, later: float = 1e-3) -> Verdicts:
    """A model of sequences sees the token that it is to predict.

    What it does: finds by comparison which input each target is, exchanges the second half of the inputs for another
    sample's, and looks whether the outputs of the first half change.
    Why it costs accuracy: the loss falls far below what is possible, because the answer is copied; the model has not
    learned to predict, and what it generates is noise.
    Remedy: a causal mask in every attention; transpose, not view or reshape, to bring the classes second; targets one
    position ahead of the inputs.
    Thresholds: a change of 0.1 % of the one that other inputs bring; a causal model has exactly 0, or rounding.
    Inputs that come back at the same position are left alone where the model is not causal: autoencoders and masked
    language models do that.
    Measured: no measurement yet.
    """
    s = sequence_use
    if s.ahead >= 1 and s.later > later:
        yield critical(
            f"Each target is the input {s.ahead} position{'s' if s.ahead > 1 else ''} on, and outputs change when only inputs after them do "
            f"({s.later:.0%} of the change by other inputs): the model sees what it is to predict.",
            "A causal mask in every attention (F.scaled_dot_product_attention(q, k, v, is_causal=True)), no bidirectional layers; "
            "logits.transpose(1, 2) where classes go second, not view or reshape",
            where="model",
            later=s.later,
            ahead=s.ahead,
        )
    elif s.ahead == 0 and s.tokens and s.later <= later:
        yield critical(
            "Each target is the input at its own position, and the model reads from left to right: it learns to copy.",
            "inputs, targets = tokens[:, :-1], tokens[:, 1:]",
            where="train_loader.dataset",
            ahead=0,
        )
    else:
        yield Note(f"targets are the inputs {s.ahead} on; later inputs change outputs by {s.later:.1%}")


@check("labels.in_inputs", cost="probe", explains=("history.*", "accuracy.gap"), references=(KAUFMAN,))
def in_inputs(target_columns: TargetColumns) -> Verdicts:
    """A column of the inputs is the target.

    What it does: correlates each column of a table with the target.
    Why it costs accuracy: the model reads the answer off, in training and in the test; where the column is missing or
    filled in later, it knows nothing.
    Remedy: drop the target, and what is computed from it, from the inputs.
    Thresholds: a correlation of 1 within 1e-6 over 200 rows and more.
    Measured: arithmetic.
    """
    t = target_columns
    if not t.columns:
        yield Note(f"none of {t.of} columns is the target")
        return
    named = ", ".join(map(str, t.columns[:5]))
    yield warning(
        f"Column {named} of {t.of} follows the target exactly in {t.rows:,} rows: the answer is among the inputs.",
        f"inputs = np.delete(inputs, {list(t.columns[:5])}, axis=1)",
        where="train_loader.dataset",
        confidence=0.8,
        columns=t.columns[:5],
    )


CHECKS = (visible, in_inputs)
