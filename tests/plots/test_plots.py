"""Pictures: they are written, drawn into the caller's axes, and show what they should."""

import math
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor import LrCurve, Unavailable, UserError, augmentation_pairs, one_step, schedule_trace
from trainingdoctor.measure.lr_range import ramp_rates
from trainingdoctor.plots.augmentation import brightness
from trainingdoctor.plots.canvas import RED

RATES = ramp_rates(1e-5, 1.0, 50)
FALL = tuple(2.3 - min(i, 35) / 35 + max(0, i - 40) for i in range(51))


def texts(figure: Figure) -> str:
    axes = figure.axes
    legends = [t.get_text() for a in axes if a.get_legend() for t in a.get_legend().get_texts()]
    return "\n".join([*(t.get_text() for a in axes for t in (a.title, a._left_title, *a.texts)), *legends])


def optimizer(rate: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_curve_is_written(tmp_path: Path, suffix: str) -> None:
    backend = matplotlib.get_backend()
    target = tmp_path / f"curve{suffix}"
    LrCurve(RATES, (FALL, FALL), 0.01).plot(target)
    assert target.stat().st_size > 5000
    assert matplotlib.get_backend() == backend
    if suffix == ".png":
        assert min(Image.open(target).size) >= 600


def test_a_curve_shows_the_interval_and_the_rate() -> None:
    curve = LrCurve(RATES, (FALL, FALL), 0.01)
    figure = Figure()
    axes = figure.add_subplot()
    assert curve.plot(axes) is figure
    assert axes.get_xscale() == "log"
    assert "learning rate" in axes.get_xlabel()
    assert "loss" in axes.get_ylabel()
    own = [line for line in axes.lines if to_hex(line.get_color()) == RED.lower()]
    assert [line.get_xdata()[0] for line in own] == [0.01]
    assert curve.stable is not None
    assert f"stable: {curve.stable[0]:.2g} to {curve.stable[1]:.2g}" in texts(figure)
    assert "your rate: 0.01" in texts(figure)
    thin = [line for line in axes.lines if line.get_linewidth() < 1]
    assert len(thin) == 2


@pytest.mark.parametrize(
    "runs",
    [
        ((2.3,) * 51,),
        ((math.nan,),),
        ((2.3, 2.2, math.inf),),
        (tuple(i / 10 - 2.3 for i in range(51)),),
        ((0.0,) * 51,),
    ],
)
def test_odd_curves_are_drawn_too(runs: Any) -> None:
    figure = LrCurve(RATES, runs, 5.0).plot()
    low, high = figure.axes[0].get_ylim()
    assert low < high
    assert "no stable interval" in texts(figure)


def test_schedules() -> None:
    o = optimizer()
    steps = schedule_trace(o, torch.optim.lr_scheduler.MultiStepLR(o, [3, 6], 0.05), 9)
    assert steps.plot().axes[0].get_yscale() == "log"
    o = optimizer()
    cosine = schedule_trace(o, torch.optim.lr_scheduler.CosineAnnealingLR(o, 30), 30).plot()
    assert cosine.axes[0].get_yscale() == "linear"
    o = optimizer()
    short = schedule_trace(o, torch.optim.lr_scheduler.OneCycleLR(o, 0.4, total_steps=20), 3, 10, interval="step")
    figure = short.plot()
    assert "raises here" in texts(figure)
    assert figure.axes[0].get_xlim() == (0, 3)
    assert "no scheduler" in texts(schedule_trace(optimizer(), None, 5).plot())
    assert "no scheduler" in texts(schedule_trace(optimizer(0.0), None, 5).plot())


def test_a_step(tmp_path: Path, training: Any) -> None:
    t = training()
    step = one_step(t.model, t.train_loader, t.criterion, t.optimizer)
    figure = step.plot(tmp_path / "step.png")
    assert len(figure.axes) == 3
    assert (tmp_path / "step.png").stat().st_size > 5000
    assert len(one_step(t.model, t.train_loader, t.criterion).plot().axes) == 2
    with torch.no_grad():
        t.model[5].weight.fill_(math.nan)
    assert "first NaN or infinity: 5" in texts(one_step(t.model, t.train_loader, t.criterion, t.optimizer).plot())


def test_a_step_of_a_net_whose_gradients_are_zero() -> None:
    model = nn.Linear(3, 2)
    batch = torch.zeros(4, 3), torch.zeros(4, dtype=torch.long)
    figure = one_step(model, batch, nn.CrossEntropyLoss()).plot()
    assert "zero or none" in texts(figure)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pairs_are_a_grid(channels: int) -> None:
    loader = DataLoader(TensorDataset(torch.randn(20, channels, 8, 8)), batch_size=4)
    pairs = augmentation_pairs(loader, samples=4, draws=3, augment_on_device=lambda x: x + torch.randn_like(x))
    figure = pairs.plot()
    assert len(figure.axes) == 12
    assert all(a.images for a in figure.axes)
    assert pairs.pictures is not None
    shown = brightness(pairs.pictures)
    assert shown.shape == (3, 4, min(channels, 3), 8, 8)
    assert 0 <= float(shown.min()) < 0.05
    assert 0.95 < float(shown.max()) <= 1


def test_no_picture_of_what_is_no_image() -> None:
    pairs = augmentation_pairs(DataLoader(TensorDataset(torch.randn(20, 5)), batch_size=4))
    with pytest.raises(Unavailable, match="no images"):
        pairs.plot()


@pytest.mark.parametrize("target", ["curve.docx", "curve", "nowhere/curve.png"])
def test_what_cannot_be_written_says_so(tmp_path: Path, target: str) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        LrCurve(RATES, (FALL,), 0.01).plot(tmp_path / target)
