"""What the source tells of learning rates that no scheduler of torch sets at once."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from trainingdoctor.observing import by_hand
from trainingdoctor.observing.by_hand import rate_written_at, rates_set_elsewhere, rebuilt_at, stepped_later


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests in this process count as the user's files, too."""
    monkeypatch.setattr(by_hand, "_loaded", lambda: iter(()))


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
        ("opt.param_groups[0].update(lr=0.1)\n", "train.py:1"),
        ("for group in opt.param_groups:\n    group.update({'lr': rate})\n", "train.py:2"),
        ("settings.update(lr=0.1)\n", ""),
    ],
)
def test_a_rate_updated_by_hand(text: str, found: str, tmp_path: Path) -> None:
    assert rate_written_at(script(tmp_path, text)) == found


@pytest.mark.parametrize(
    ("group", "rates", "said"),
    [
        ({"lr": 1e-5, "initial_lr": 0.1}, (1e-5, 1e-5), "a scheduler that is not of torch"),
        ({"lr": 0.1}, (0.1, 0.2), "from step to step"),
        ({"lr": 0.1}, (0.1, 0.1), ""),
    ],
)
def test_a_rate_that_nothing_of_torch_sets(
    group: dict[str, float], rates: tuple[float, ...], said: str, tmp_path: Path
) -> None:
    steps = [SimpleNamespace(rate=rate) for rate in rates]
    watch = SimpleNamespace(optimizer=SimpleNamespace(param_groups=[group]), steps=steps, where="")
    found = rates_set_elsewhere(script(tmp_path, ""), [watch])  # type: ignore[list-item]
    assert said in found
    assert bool(found) == bool(said)


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


@pytest.mark.parametrize(
    ("use", "found"),
    [("", ""), ("adjust(o)\n", "train.py:3"), ("hooks = [adjust]\n", "train.py:3"), ("import adjust\n", "")],
)
def test_a_function_that_nobody_names_sets_no_rate(use: str, found: str, tmp_path: Path) -> None:
    text = f"def adjust(o):\n  for g in o.param_groups:\n    g['lr'] = 1\n{use}"
    assert rate_written_at(script(tmp_path, text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("for epochs in (50, 5):\n    o = SGD(w, lr=rate, momentum=0.9)\n    rate *= 0.1\n", "train.py:2"),
        ("for epochs, rate in plan:\n    o = SGD(w, rate)\n", "train.py:2"),
        # A search over seeds, and an optimizer made anew in each epoch by mistake.
        ("for seed in range(3):\n    o = SGD(w, lr=rate)\n", ""),
        ("rate = 0.1\nfor epoch in range(3):\n    o = SGD(w, lr=args.lr)\n", ""),
    ],
)
def test_an_optimizer_that_is_built_anew_with_other_rates(text: str, found: str, tmp_path: Path) -> None:
    watches = [SimpleNamespace(where=f"train.py:{line}") for line in (2, 3)]
    assert rebuilt_at(script(tmp_path, text), watches) == found  # type: ignore[arg-type]
