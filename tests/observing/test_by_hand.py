"""What the source tells of learning rates that no scheduler of torch sets at once."""

from pathlib import Path

import pytest

from trainingdoctor.observing.by_hand import rate_written_at, stepped_later


def script(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "train.py"
    file.write_text(text)
    return file


def test_a_rate_written_by_hand(tmp_path: Path) -> None:
    assert rate_written_at(script(tmp_path, "\nfor group in groups:\n    group['lr'] *= 0.1\n")) == "train.py:3"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("for _, p in enumerate(optimizer.param_groups):\n    p['lr'] = rate\n", "train.py:2"),
        ("optimizer.param_groups[0]['lr'] *= 0.1\n", "train.py:1"),
        ("log['lr'] = scheduler.get_last_lr()\n", ""),
    ],
)
def test_what_is_noted_down_is_no_rate_that_is_set(tmp_path: Path, text: str, found: str) -> None:
    assert rate_written_at(script(tmp_path, text), surely=True) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("if epoch >= 10:\n    self.scheduler.step()\n", "if epoch >= 10 (train.py:1)"),
        ("if (it + 1) % n == 0:\n    optimizer.step()\nscheduler.step()\n", ""),
        ("if last_step > 5:\n    lr_scheduler.step()\n", "if last_step > 5 (train.py:1)"),
        ("if args.decay == 'cosine':\n    scheduler.step()\n", ""),
        ("if epoch > 5:\n    optimizer.step()\n", ""),
        ("not Python", ""),
    ],
)
def test_a_scheduler_that_is_stepped_from_some_epoch_on(text: str, found: str, tmp_path: Path) -> None:
    assert stepped_later(script(tmp_path, text)) == found
