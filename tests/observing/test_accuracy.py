"""What scripts print as their accuracy, beside a count of the pass."""

from dataclasses import replace

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.observing.accuracy import accuracy_seen
from trainingdoctor.observing.calls import CriterionCall
from trainingdoctor.observing.passes import Pass
from trainingdoctor.observing.seen import AccuracySeen
from trainingdoctor.observing.single import is_single, right_reading

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


def single(text: str, outputs: torch.Tensor, reading: int | None) -> AccuracySeen | None:
    """200 samples of a model of one output: 150 of class 1."""
    truth = torch.arange(200) % 4 > 0
    seen = Pass(LOADER, 0, "", batches=4, known="evaluation")
    for i in range(4):
        part = slice(50 * i, 50 * i + 50)
        seen.count.add(outputs[part], truth[part].float()[:, None], i)
    seen.count.hear(text, "train.py:9")
    return accuracy_seen([seen], reading)


# Logits of which 190 are on the right side of 0, 140 of a half: 50 of class 1 lie between.
LOGITS = torch.where(torch.arange(200) % 4 > 0, torch.where(torch.arange(200) % 4 > 1, 2.0, 0.2), -2.0)[:, None]
LOGITS[:40:4] *= -1


@pytest.mark.parametrize(
    ("text", "reading", "off", "said"),
    [
        ("accuracy 0.95", 0, 0, "outputs over 0"),
        ("accuracy 0.70", 0, 25, "outputs over a half"),
        ("accuracy 0.70", 1, 0, "outputs over a half"),
        ("accuracy 25.0%", 0, 70, "the largest of one output"),
        # 6,492 pairs that agree, of 200 samples.
        ("accuracy 3246.00%", 0, 3151, "each prediction over 0 against every target"),
        # A threshold of one's own.
        ("accuracy 0.81", 0, 0, ""),
    ],
)
def test_models_of_one_output(text: str, reading: int, off: float, said: str) -> None:
    seen = single(text, LOGITS, reading)
    assert seen is not None
    assert seen.off == pytest.approx(off, abs=3)
    assert seen.reading.startswith(said)
    assert bool(seen.reading) == bool(said)


def test_what_is_no_model_of_one_output() -> None:
    ones = torch.ones(4)
    assert is_single(ones, ones)
    assert is_single(ones[:, None], ones.long())
    # A loss, a map, targets of more classes, of another number, none.
    others = [(ones.sum(), ones), (ones.view(4, 1, 1), ones), (ones, 2 * ones), (ones, ones[:2]), (ones, None)]
    assert not any(is_single(outputs, targets) for outputs, targets in others)


def test_one_output_of_which_the_loss_does_not_tell() -> None:
    assert single("accuracy 0.70", LOGITS, None) is None
    seen = single("accuracy 0.70", LOGITS.sigmoid(), 1)
    assert seen is not None
    assert seen.counted == 95
    call = CriterionCall(torch.nn.BCEWithLogitsLoss(), "", 0, None)
    calls = [call, replace(call, between="squeeze"), replace(call, between="sigmoid"), replace(call, part=1), None]
    assert [right_reading(c) for c in calls] == [0, 0, None, None, None]
    bce = replace(call, function=torch.nn.functional.binary_cross_entropy)
    assert [right_reading(c) for c in (bce, replace(bce, between="sigmoid"))] == [1, 0]
    assert right_reading(replace(call, function=torch.nn.MSELoss())) is None
