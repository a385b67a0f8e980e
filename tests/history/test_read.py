"""Metrics files as the libraries write them."""

import json
import math
from pathlib import Path

import pytest

from trainingdoctor import UserError
from trainingdoctor.history.columns import Role, role_of
from trainingdoctor.history.read import read_history


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("val_acc", "test_accuracy"), ("Test/Accuracy@1", "test_accuracy"), ("accuracy", "train_accuracy"),
        ("train_loss_epoch", "train_loss"), ("eval_loss", "test_loss"), ("lr-SGD", "rate"), ("TestAcc", "test_accuracy"),
        ("learning_rate", "rate"), ("valid_crossentropyloss", "test_loss"), ("loss", "train_loss"),
    ],
)  # fmt: skip
def test_names_of_columns(name: str, column: str) -> None:
    role = role_of(name)
    assert role is not None
    assert role.column == column


def test_other_columns_are_left_out() -> None:
    assert role_of("test_err") == Role("test_accuracy", is_error=True)
    assert [role_of(n) for n in ("val_acc_top5", "time", "grad_norm", "best_acc", "f1")] == [None] * 5


def test_csv_with_shares_and_errors(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("epoch;train_acc;test_err;lr\n1;0.5;0.6;0.1\n2;0.9;0.25;0.01\n")
    curves = read_history(file)
    assert curves.pairs() == [(50.0, 40.0), (90.0, 75.0)]
    assert curves.of("rate") == [0.1, 0.01]


def test_csv_in_percent_without_an_epoch_column(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("acc,val_acc,loss\n50 %,40.0,1.0\n90 %,75.0,nan\n")
    curves = read_history(file)
    assert curves.pairs() == [(50.0, 40.0), (90.0, 75.0)]
    assert math.isnan(curves.of("train_loss")[1])


def test_lightnings_csv_has_a_row_for_each_logging(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    file.write_text(
        "epoch,step,train_loss_step,train_loss_epoch,val_acc\n0,49,2.5,,\n0,99,2.1,,\n0,99,,2.3,\n0,99,,,0.31\n1,199,,1.9,0.4\n"
    )
    curves = read_history(file)
    assert [(r.epoch, r.train_loss, r.test_accuracy) for r in curves.rows] == [(0, 2.3, 31.0), (1, 1.9, 40.0)]


def test_trainer_state(tmp_path: Path) -> None:
    log = [
        {"epoch": 0.5, "loss": 1.1, "learning_rate": 1e-4, "step": 10},
        {"epoch": 1.0, "eval_loss": 1.2, "eval_accuracy": 0.4, "step": 20},
        {"epoch": 1.5, "loss": 0.9, "learning_rate": 5e-5, "step": 30},
        {"epoch": 2.0, "eval_loss": 1.0, "eval_accuracy": 0.6, "step": 40},
    ]
    file = tmp_path / "trainer_state.json"
    file.write_text(json.dumps({"log_history": log}))
    curves = read_history(file)
    assert curves.of("test_accuracy") == [40.0, 60.0]
    assert [(r.train_loss, r.test_loss) for r in curves.rows] == [(1.1, 1.2), (0.9, 1.0)]


def test_our_own_metrics(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"epoch": 1, "loss": 2.0, "train_accuracy": 30.0, "test_accuracy": 35.0}\n')
    assert read_history(file).pairs() == [(30.0, 35.0)]


def test_tensorboard(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    writer = tensorboard.SummaryWriter(str(tmp_path))
    for step in range(20):
        writer.add_scalar("Loss/train", 2.0 - step / 20, step)
    for epoch in range(2):
        writer.add_scalar("Accuracy/val", 0.4 + 0.1 * epoch, 10 * epoch + 9)
    writer.close()
    curves = read_history(tmp_path)
    assert curves.of("test_accuracy") == pytest.approx([40.0, 50.0])
    assert curves.of("train_loss") == pytest.approx([1.55, 1.05])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "x,y\n1,2\n", "no column is an accuracy"),
        ("a.csv", "", "found no numbers"),
        ("a.json", "{", "cannot be read"),
        ("a.json", "[1]", "cannot be read"),
        ("a.jsonl", "nothing", "cannot be read"),
    ],
)
def test_what_is_no_metrics_file_is_one_sentence(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=said):
        read_history(tmp_path / name)
    with pytest.raises(UserError, match="cannot be read"):
        read_history(tmp_path / "absent.csv")
