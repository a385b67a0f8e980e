"""Results in a notebook: small, escaped, nothing loaded, no colour that only suits a white page."""

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.plots.test_plots import FALL, RATES, optimizer
from tests.render.test_formats import NASTY, Checked
from tests.render.test_terminal import REPORT
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor import LrCurve, augmentation_pairs, schedule_trace
from trainingdoctor.report import Report


def checked(result: Any) -> Checked:
    text = result._repr_html_()
    assert len(text) < 100_000
    assert not re.search(r"<(script|link|style|iframe)|https?://|\bcolor: (#|black|white)", text)
    return Checked(text)


def test_a_report_has_causes_remedies_and_what_was_not_examined() -> None:
    page = checked(REPORT)
    for said in ("unwell", "lr.too_high", "explains loss.diverges", "needs epochs: add", "a.crashed crashed"):
        assert said in " ".join(page.text.split())
    assert "nothing found" in checked(Report("x.py", ())).text


def test_names_of_the_users_are_escaped() -> None:
    assert "<script>alert(1)</script>" in checked(NASTY).text


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (LrCurve(RATES, (FALL, FALL), 0.01), "is inside this interval"),
        (schedule_trace(optimizer(), None, epochs=3), "0.1 in all 3 epochs"),
        (augmentation_pairs(DataLoader(TensorDataset(torch.rand(20, 3, 8, 8), torch.arange(20)))), "are the same"),
    ],
)
def test_measurements_are_drawn_with_their_words(result: Any, said: str) -> None:
    page = checked(result)
    assert said in page.text
    assert said in str(page.all("img")[0]["alt"])


def test_what_cannot_be_drawn_shows_its_repr() -> None:
    pairs = augmentation_pairs(DataLoader(TensorDataset(torch.rand(20, 3, 8, 8), torch.arange(20))))
    assert replace(pairs, pictures=None)._repr_html_() is None
