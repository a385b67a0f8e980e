"""Columns of tables in training and in evaluation."""

import pytest
import torch
from torch import Tensor

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.columns import Columns, columns
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.columns import codes_mismatch, columns_mismatch

RANDOM = torch.Generator().manual_seed(0)


def numbers(rows: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    return torch.randn(rows, 4, generator=RANDOM) * scale + shift


def categories(rows: int, codes: int = 12) -> Tensor:
    return torch.randint(codes, (rows, 2), generator=RANDOM)


def compared(train: Tensor, val: Tensor) -> Columns:
    return columns((Batch(train, None),), (Batch(val, None),))


def test_rows_that_were_not_scaled_are_found() -> None:
    found = compared(numbers(200), numbers(100, scale=12.0, shift=40.0))
    assert_unwell(columns_mismatch, found, severity="warning", mentions="4 of 4 columns")
    # Images in rows that only the training divides by 255.
    assert_unwell(columns_mismatch, compared(numbers(200, 0.3), numbers(100, 80.0)), severity="warning")


def test_rows_of_the_same_scales_are_fine() -> None:
    assert_healthy(columns_mismatch, compared(numbers(200), numbers(100)))
    # Later in time.
    assert_healthy(columns_mismatch, compared(numbers(200), numbers(100, scale=0.4, shift=3.0)))
    single = torch.cat([numbers(100)[:, :3], 50 * numbers(100)[:, :1]], 1)
    assert_healthy(columns_mismatch, compared(numbers(200), single))


def test_categories_that_were_numbered_anew_are_found() -> None:
    found = compared(categories(600), categories(300, codes=10))
    assert [(c.known, c.missing) for c in found.codes] == [(12, 2), (12, 2)]
    assert_unwell(codes_mismatch, found, severity="warning", mentions="2 of 12")


def test_rare_categories_may_be_missing_besides() -> None:
    """Numbers of towns, as whole numbers in a table of floats or alone: the rare ones are in no evaluation of 300 rows."""
    train, val = categories(600)[:, :1] * 3, categories(300, codes=9)[:, :1] * 3
    train[:8] = torch.arange(1, 24, 3)[:, None]
    for column in (lambda t: t[:, 0], lambda t: t.float()):
        found = compared(column(train), column(val))
        assert [(c.known, c.missing) for c in found.codes] == [(12, 3)]
        assert_unwell(codes_mismatch, found, severity="warning", mentions="3 of 12")
    assert compared(train + 0.5, val + 0.5).codes == ()
    # One that is rare in training has a higher number than those that are missing, and is there: none was numbered anew.
    val[0] = 40
    assert_healthy(codes_mismatch, compared(train, val))


def test_categories_that_are_missing_here_and_there_are_fine() -> None:
    train, val = categories(600), categories(300)
    assert_healthy(codes_mismatch, compared(train, val))
    assert_healthy(codes_mismatch, compared(train, torch.where(val == 5, 6, val)))
    # Rare ones, and a single column of few.
    rare = torch.where(categories(600, 2) > 0, 0, categories(600, 4))
    rare[:3] = 9
    assert_healthy(codes_mismatch, compared(rare, torch.where(rare == 9, 0, rare)))
    few = torch.cat([categories(300, 4)[:, :1], categories(300, 5)[:, 1:]], 1)
    assert_healthy(codes_mismatch, compared(categories(600, 5), few))


def test_images_are_no_tables() -> None:
    with pytest.raises(Unavailable, match="no tables"):
        compared(torch.rand(40, 3, 8, 8), torch.rand(40, 3, 8, 8))
