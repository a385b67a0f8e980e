"""`trainingdoctor fix`, `verify`, `history` and `compare` as they are typed."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

CONFIG = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

draw = torch.Generator().manual_seed(0)
labels = torch.randint(4, (400,), generator=draw)
inputs = torch.randn(400, 8, generator=draw) + 1.5 * nn.functional.one_hot(labels, 8)
train_loader = DataLoader(TensorDataset(inputs[:300], labels[:300]), batch_size=32)  # in order
val_loader = DataLoader(TensorDataset(inputs[300:], labels[300:]), batch_size=100)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4), nn.Softmax(dim=1))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
epochs = 20
"""
SCRIPT = (
    CONFIG.replace(", nn.Softmax(dim=1)", "").replace("batch_size=32)", "batch_size=32, shuffle=True)")
    + """
for epoch in range(epochs):
    model.train()
    for x, y in train_loader:
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        for x, y in val_loader:
            model(x)
    scheduler.step()
"""
)
SELECT = ("--select", "loss.softmax_before_cross_entropy", "--select", "data.not_shuffled")


@pytest.fixture(name="folder")
def folder_(tmp_path: Path) -> Path:
    (tmp_path / "config.py").write_text(CONFIG)
    (tmp_path / "train.py").write_text(SCRIPT)
    return tmp_path


def test_a_difference_is_shown_and_nothing_written(folder: Path, typed: Command) -> None:
    done = typed(folder, "fix", "config.py", "--quick", "--output", "fix.diff")
    assert done.exit_code == 1, done.stderr
    assert (
        "-train_loader = DataLoader(TensorDataset(inputs[:300], labels[:300]), batch_size=32)  # in order"
        in done.stdout
    )
    assert "batch_size=32, shuffle=True)  # in order" in done.stdout
    assert "+model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))" in done.stdout
    assert "nothing was written" in done.stdout
    assert (folder / "config.py").read_text() == CONFIG
    assert (folder / "fix.diff").read_text().startswith("--- a/config.py")
    assert sorted(p.name for p in folder.iterdir()) == ["config.py", "fix.diff", "train.py"]


def test_what_is_written_is_healthy_and_has_a_backup(folder: Path, typed: Command) -> None:
    done = typed(folder, "fix", "config.py", "--quick", "--write", *SELECT)
    assert done.exit_code == 0, done.stdout
    assert (folder / "config.py.before-fix").read_text() == CONFIG
    again = typed(folder, "fix", "config.py", "--quick")
    assert again.exit_code == 0
    assert "nothing to change" in again.stdout


def test_a_file_keeps_its_line_ends_its_coding_and_its_link(folder: Path, typed: Command) -> None:
    raw = ("# coding: latin-1\n# gr\xf6\xdfer\n" + CONFIG).replace("\n", "\r\n").encode("latin-1")
    (folder / "there").mkdir()
    (folder / "there" / "real.py").write_bytes(raw)
    (folder / "link.py").symlink_to(folder / "there" / "real.py")
    done = typed(folder, "fix", "link.py", "--quick", "--write", *SELECT)
    assert done.exit_code == 0, done.stdout
    assert (folder / "link.py").is_symlink()
    expected = raw.replace(b"batch_size=32)", b"batch_size=32, shuffle=True)").replace(b", nn.Softmax(dim=1)", b"")
    assert (folder / "link.py").read_bytes() == expected
    assert (folder / "there" / "real.py.before-fix").read_bytes() == raw


@pytest.mark.parametrize("closed", ["config.py", "config.py.before-fix"])
def test_what_cannot_be_written_is_told_before_the_work(
    closed: str, folder: Path, typed: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    barred = folder / closed if closed == "config.py" else folder
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK or Path(path).resolve() != barred)
    done = typed(folder, "fix", "config.py", "--write")
    assert done.exit_code == 2
    assert " ".join(done.stderr.split()).endswith(f"{closed} cannot be written: no permission")


def test_each_change_is_asked_about(folder: Path, typed: Command) -> None:
    done = typed(folder, "fix", "config.py", "--quick", "--interactive", answers="n\ny\n")
    assert done.stdout.count("\n+") == 1 + 1, done.stdout
    assert "it was not chosen" in " ".join(done.stdout.split())


def test_a_script_is_fixed_at_the_line_of_its_loop(folder: Path, typed: Command) -> None:
    done = typed(folder, "fix", "train.py", "--quick", "--write")
    assert "optimizer.zero_grad()" in (folder / "train.py").read_text(), done.stdout + done.stderr
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("fix", "missing.py"), "missing.py"),
        (("fix", "config.py", "--select", "nothing.like_it"), "nothing.like_it"),
        (("fix", "notes.ipynb"), "is a notebook"),
        (("verify", "config.py", "--budget", "soon"), "--budget soon"),
        (("verify", "config.py", "train.py", "--with-fixes"), "not both"),
        (("verify", "config.py", "--executor", "slurm"), "use local or ray"),
        (("compare", "1", "last"), "there is no kept run"),
        (("reference-run", "--with-fixes"), "--with-fixes needs --config"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    folder: Path, typed: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    (folder / "notes.ipynb").write_text("{}")
    done = typed(folder, *arguments)
    assert done.exit_code == 2, done.stdout
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_kept_runs_is_no_error(folder: Path, typed: Command) -> None:
    done = typed(folder, "history")
    assert done.exit_code == 0
    assert "no run was kept" in done.stdout


def test_diagnoses_are_kept_listed_and_compared(folder: Path, typed: Command) -> None:
    typed(folder, "diagnose", "config.py", "--quick", "--save", *SELECT)
    cured = CONFIG.replace(", nn.Softmax(dim=1)", "").replace("batch_size=32)", "batch_size=32, shuffle=True)")
    (folder / "config.py").write_text(cured)
    typed(folder, "diagnose", "config.py", "--quick", "--save", *SELECT)
    listed = typed(folder, "history")
    assert listed.stdout.count("config.py") == 2, listed.stderr
    compared = typed(folder, "compare", "1", "last")
    assert compared.exit_code == 0
    assert "cured" in compared.stdout
    assert "loss.softmax_before_cross_entropy" in compared.stdout
    assert typed(folder, "compare", "2", "1").exit_code == 1


@pytest.mark.timeout(180)
def test_what_the_fixes_gain_is_measured(folder: Path, typed: Command) -> None:
    done = typed(
        folder,
        "verify",
        "config.py",
        "--with-fixes",
        "--quick",
        "--budget",
        "40s",
        "--seeds",
        "2",
        "--output",
        "v.json",
    )
    found = json.loads((folder / "v.json").read_text())
    assert {o["variant"] for o in found["outcomes"]} >= {"before", "after"}
    assert "before" in done.stdout
    assert done.exit_code in (0, 1), done.stderr
    assert typed(folder, "history").stdout.count("verify") == 1
