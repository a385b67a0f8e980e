"""Tables: whether their columns mean the same in training and in evaluation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.columns import Columns

ENCODER = "https://scikit-learn.org/stable/common_pitfalls.html#inconsistent-preprocessing"


@check("normalization.columns_mismatch", cost="probe", references=(ENCODER,))
def columns_mismatch(columns: Columns, *, ratio: float = 5.0, moved: float = 10.0, share: float = 0.5) -> Verdicts:
    """The columns of a table have another scale in evaluation than in training.

    What it does: compares mean and deviation of each column of numbers in drawn rows of both.
    Why it costs accuracy: the net is evaluated on numbers that it never saw: a scaler was fitted and used on the training rows only.
    Remedy: scaler = StandardScaler().fit(train), and scaler.transform() for both.
    Thresholds: deviations that differ by a factor of 5, or means by ten deviations, in half of the columns that vary: what comes later
    in time than the training rows moves less.
    Measured: no measurement yet.
    """
    c = columns
    far = [s for s in c.scales if s.moved > moved or not 1 / ratio < s.ratio < ratio]
    if far and len(far) >= share * len(c.scales):
        middle = sorted(far, key=lambda s: s.ratio)[len(far) // 2]
        yield warning(
            f"{len(far)} of {len(c.scales)} columns have another scale in evaluation: the deviation of one in the middle is {middle.ratio:.3g} times "
            f"the training's, and its mean lies {middle.moved:.2g} deviations away.",
            "scaler = StandardScaler().fit(train); train, test = scaler.transform(train), scaler.transform(test)",
            where=("train_loader.dataset", "val_loader.dataset"),
            columns=len(far),
        )
    elif c.scales:
        yield Note(f"{len(c.scales)} columns of numbers, of the same scales in {c.rows} and {c.val_rows} rows")


@check("data.codes_mismatch", cost="probe", references=(ENCODER,))
def codes_mismatch(columns: Columns, *, chance: float = 0.05) -> Verdicts:
    """Categories are numbered anew in the evaluation.

    What it does: looks for columns of categories (whole numbers, of which 100 are known at most) whose highest numbers are frequent in
    training and absent in evaluation: where some categories do not occur, an encoder that is fitted to the evaluation rows leaves no gaps,
    and gives the others lower numbers.
    Why it costs accuracy: the same number stands for one category in training, and for another in evaluation.
    Remedy: encoder.fit(train), and encoder.transform() for both.
    Thresholds: numbers of which eight at least were to be expected; no higher one may be there, a rare one included. That what is
    missing has just the highest numbers must be a chance of 5 % at most, over all columns.
    Measured: no measurement yet.
    """
    found = columns.codes
    if found and math.prod(c.chance for c in found) <= chance:
        first = found[0]
        yield warning(
            f"In {len(found)} columns of categories just the highest numbers are missing in evaluation, {first.missing} of {first.known} in the first: "
            "as if the categories had been numbered anew.",
            "encoder = OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1).fit(train), and encoder.transform() for both",
            where="val_loader.dataset",
            confidence=0.7,
            columns=len(found),
        )


CHECKS = (columns_mismatch, codes_mismatch)
