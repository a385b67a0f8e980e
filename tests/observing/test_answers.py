"""Answers of other models, counted against the classes."""

import pytest
import torch
from torch import Tensor

from trainingdoctor.observing.answers import Answers, are_scores

CLASSES = torch.tensor([0, 2, 2, 1])


def test_right_answers_are_counted() -> None:
    answers = Answers()
    for _ in range(2):
        answers.add(torch.eye(3)[[0, 2, 1, 1]], CLASSES)
    assert (answers.right, answers.asked, answers.width, answers.chance) == (6, 8, 3, 0.5)
    assert Answers().chance == 0


@pytest.mark.parametrize(
    ("output", "targets"),
    [
        (torch.zeros(4, 3), None),
        (torch.zeros(4, 3), CLASSES.float()),
        (torch.zeros(4, 3), CLASSES > 1),
        (torch.zeros(4, 2), CLASSES),
        (torch.zeros(4, 3, 5), CLASSES),
        (torch.zeros(4, 3), CLASSES[:2]),
        (torch.zeros(0, 3), CLASSES[:0]),
        (torch.zeros(4, 3), torch.zeros(4, 3).long()),
    ],
)
def test_what_is_no_score_for_each_class(output: Tensor, targets: Tensor | None) -> None:
    assert not are_scores(output, targets)


def test_what_is_one() -> None:
    assert are_scores(torch.zeros(4, 3), CLASSES)
