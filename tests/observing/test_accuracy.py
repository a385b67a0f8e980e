"""What scripts print as their accuracy, beside a count of the pass."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.observing.accuracy import accuracy_seen
from trainingdoctor.observing.passes import Pass

TARGETS = torch.tensor([0, 1, 2, 3] * 50)
RIGHT = torch.nn.functional.one_hot(TARGETS, 4).float()
# Of 200, 50 are wrong, in every batch about as many.
OUTPUTS = torch.where((TARGETS == 3)[:, None], RIGHT.roll(1, 1), RIGHT)
LOADER = DataLoader(TensorDataset(TARGETS), 50)


def evaluation(*texts: str, batches: int = 4, outputs: torch.Tensor = OUTPUTS) -> Pass:
    """A pass, and what was printed after it."""
    seen = Pass(LOADER, 0, "", batches=batches, known="evaluation")
    for i in range(batches):
        part = slice(50 * i, 50 * i + 50)
        seen.count.add(outputs[part], TARGETS[part], i)
    for text in texts:
        seen.count.hear(text, "train.py:9")
    return seen


@pytest.mark.parametrize(
    "text",
    [
        "accuracy 0.75\n",
        "Test Acc: 75.00%\n",
        "val_acc=0.7500 val_loss=1.2\n",
        "\rLoss: 0.512 | Acc: 75.000% (150/200)\n",
        "Accuracy of the network on the 10000 test images: 75 %\n",
        "Test set: Average loss: 0.0435, Accuracy: 150/200 (75%)\n",
        " * Acc@1 75.000 Acc@5 98.000\n",
        " * Prec@1 75.000\n",
        "\x1b[1mepoch 3 acc 75.1\x1b[0m\n",
        # A count over what was planned, where the pass was ended early, comes out like this.
        "accuracy 0.75 best accuracy 0.91\n",
        "top-5 accuracy 0.98\ntop-1 accuracy 0.75\n",
    ],
)
def test_what_can_be_meant_is_no_difference(text: str) -> None:
    seen = accuracy_seen([evaluation(text)])
    assert seen is not None
    assert (seen.off, seen.counted, seen.samples) == (pytest.approx(0, abs=1e-6), 75, 200)


@pytest.mark.parametrize(
    ("text", "off"),
    [("accuracy 0.0\n", 70), ("Acc: 37.50%\n", 35), ("accuracy 150.0%\n", 70), ("acc: 0.9001", 14)],
)
def test_what_cannot_be_meant_is_off(text: str, off: float) -> None:
    seen = accuracy_seen([evaluation("loss 0.3\n"), evaluation("accuracy 0.75\n"), evaluation(text)])
    assert seen is not None
    assert off < seen.off < off + 13
    assert (seen.said, seen.where) == (text.strip(), "train.py:9")


def test_a_pass_that_was_ended_early_may_be_divided_by_its_planned_length() -> None:
    for said, fits in (("0.75", True), ("0.375", True), ("0.5", False), ("1.0", False)):
        seen = accuracy_seen([evaluation(f"accuracy {said}\n", batches=2)])
        assert seen is not None
        assert (seen.off < 0.01) == fits


def test_a_difference_is_as_large_as_it_would_be_over_the_whole_pass() -> None:
    short = evaluation("accuracy 0.00\n", batches=1)
    assert (seen := accuracy_seen([short])) is not None
    assert seen.off > 60


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("loss 0.2 time 75\n",),
        ("train acc 0.11\n",),
        ("mean class accuracy 0.11\n",),
        ("top5 acc 0.11\n"[:9],),
        tuple(f"Accuracy of {name} : 12 %\n" for name in ("plane", "car", "bird", "cat")),
    ],
)
def test_other_accuracies_are_left_alone(texts: tuple[str, ...]) -> None:
    assert accuracy_seen([evaluation(*texts)]) is None


def test_what_cannot_be_counted_is_left_alone() -> None:
    views = evaluation("accuracy 0.1\n")
    views.count.add(OUTPUTS[:50], TARGETS[:50], 3)
    assert accuracy_seen([views]) is None
    assert accuracy_seen([evaluation("accuracy 0.1\n", outputs=OUTPUTS[:, :1])]) is None
    training = evaluation("accuracy 0.1\n")
    training.known = "training"
    assert accuracy_seen([training]) is None
