"""Pictures: of what was measured, and of nothing else."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.conftest import build, images
from torch import nn

from trainingdoctor import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.batchnorm import batchnorm_layers
from trainingdoctor.measure.batchnorm_statistics import BatchNormStatistics, batchnorm_statistics
from trainingdoctor.measure.example_draws import example_draws
from trainingdoctor.measure.rate_search import Trial
from trainingdoctor.measure.trials import RateTrials
from trainingdoctor.observing.seen import Moment, PassSeen
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.plots import timeline, trials
from trainingdoctor.plots.canvas import axes_for
from trainingdoctor.render.html import render_html
from trainingdoctor.render.pictures import DOTS, Exhibit, Picture, Table, pictures, png
from trainingdoctor.report import Report
from trainingdoctor.runner import diagnose
from trainingdoctor.settings import Settings


class Noisy(torch.utils.data.Dataset[Any]):
    """Each draw is another one."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.rand(3, 8, 8), index % 2


def loader(data: Any) -> Any:
    return torch.utils.data.DataLoader(data, batch_size=32)


@pytest.fixture(scope="module")
def exhibits() -> dict[str, Exhibit]:
    settings = Settings(quick=True, select=("init", "schedule", "data"), pictures=True)
    return {shown.title: shown for shown in diagnose(build(), settings=settings).pictures}


def test_a_quick_diagnosis_shows_what_it_measured(exhibits: dict[str, Exhibit]) -> None:
    assert list(exhibits) == [
        "One image, drawn again and again",
        "The learning rate of the whole run, simulated",
        "Signal and gradient by depth, before training",
        "BatchNorm: running against batch statistics",
        "How often each class occurs",
    ]
    assert all(isinstance(shown, Picture) and shown.png.startswith(b"\x89PNG") for shown in exhibits.values())
    assert exhibits["How often each class occurs"].words == "4 classes of 24 samples in the whole training set."
    assert len(render_html(Report("x.py", ()), list(exhibits.values()))) < 3_000_000 / 2
    assert "are all the same" in exhibits["One image, drawn again and again"].words


def test_no_picture_is_made_where_none_is_wanted() -> None:
    assert diagnose(build(), settings=Settings(quick=True, select=("schedule",))).pictures == ()


def test_draws_tell_augmentation_from_none() -> None:
    draws = example_draws(loader(Noisy()), loader(images()), None)
    assert draws.varies == (True, False)
    assert tuple(draws.training.shape) == (8, 1, 3, 8, 8)
    assert example_draws(loader(images()), None, None).evaluation is None
    with pytest.raises(Unavailable):
        example_draws(loader(torch.utils.data.TensorDataset(torch.rand(40, 5), torch.ones(40))), None, None)


def statistics(momentum: float, updates: int = 0) -> BatchNormStatistics:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=momentum), nn.Flatten(), nn.Linear(400, 2))
    batches = tuple(Batch(torch.randn(32, 3, 12, 12) + shift, torch.arange(32) % 2) for shift in (-1, 0, 1, 0))
    for _ in range(updates):
        model(torch.randn(32, 3, 12, 12) + 5)
    return batchnorm_statistics(model, batchnorm_layers(model), batches)


def test_running_statistics_are_replayed_by_the_layers_own_rule() -> None:
    usual, newest, frozen = statistics(0.1), statistics(0.99), statistics(1e-4)
    assert usual.replayed == 100
    assert usual.batches == 4
    assert usual.layers[0].drift < newest.layers[0].drift + 0.2
    torch.testing.assert_close(frozen.layers[0].running_std, torch.ones(4), atol=0.05, rtol=0)
    torch.testing.assert_close(
        statistics(1.0).layers[0].running_mean, statistics(0.999).layers[0].running_mean, atol=0.01, rtol=0
    )


def test_a_trained_models_own_statistics_are_shown() -> None:
    found = statistics(0.5, updates=20)
    assert found.replayed is None
    assert found.layers[0].drift > 1


TRIALS = RateTrials(
    trials=(
        Trial(1.0, 0.5, (2.3, 9.0, 2.3, 2.3), False),
        Trial(0.1, 0.05, (2.3, 2.0, 1.5, 1.2), False),
        Trial(10.0, 5.0, (2.3, 1e9), True),
        Trial(0.01, 0.005, (2.3, 2.2, 2.1, 2.0), False),
    ),
    peak=0.5, scaling=1.0, batch_size=32, user_batch_size=32, steps=4, initial=2.3, chance=2.3, warmup=False,
    momentum=0.9, adaptive=False,
)  # fmt: skip


def test_rates_that_train_are_shaded_and_the_own_one_is_marked() -> None:
    assert TRIALS.stable == (0.005, 0.05)
    figure = trials.draw(TRIALS)
    ends = figure.axes[1]
    assert ends.get_xscale() == "log"
    assert [list(line.get_xdata()) for line in ends.lines][1] == [0.5, 0.5]
    assert ends.patches[0].get_extents().width > 0
    alone = replace(TRIALS, trials=(TRIALS.own,))
    assert alone.stable is None
    assert len(trials.draw(alone).axes) == 1


def moments() -> tuple[Moment, ...]:
    step = [Moment(kind, "training", 1) for kind in ("forward_train", "backward", "step")]
    return (*step * 5, *[Moment("forward_train", "evaluation", 2)] * 3, Moment("scheduler", "", 0))


def test_a_loop_says_what_never_happened() -> None:
    trace = LoopTrace(
        passes=(PassSeen("training", 0, 5, 5, 0, 5), PassSeen("evaluation", 1, 3, 3, 0, 0)), moments=moments()
    )
    axes = timeline.draw(trace).axes[0]
    assert [text.get_text() for text in axes.texts].count("never") == 2
    shown = pictures({"loop_trace": trace})[0]
    assert "0 in eval mode, 5 backward, no cleared gradients, 5 optimizer steps, 1 scheduler steps" in shown.words
    assert pictures({"loop_trace": LoopTrace()}) == ()


def test_the_recipe_gap_is_a_table() -> None:
    from trainingdoctor.measure.recipe_gap import Difference, RecipeGap

    rows = (Difference("momentum", "none", "0.9", None, None), Difference("schedule", "none", "cosine", 7.2, "x 2017"))
    gap = RecipeGap("He 2015", "arXiv:1", "", "ResNet", "CIFAR10", 93.4, "y", rows)
    (table,) = pictures({"recipe_gap": gap})
    assert isinstance(table, Table)
    assert table.rows == (
        ("momentum", "none", "0.9", "not measured"),
        ("schedule", "none", "cosine", "7.2 points (x 2017)"),
    )
    assert pictures({"recipe_gap": replace(gap, differences=())}) == ()


def test_pictures_are_not_part_of_what_is_kept(tmp_path: Path) -> None:
    assert "pictures" not in diagnose(build(), settings=Settings(quick=True, select=("schedule",))).to_dict()


def broken(**weights: float) -> nn.Module:
    model = build().model
    assert model is not None
    for name, value in weights.items():
        nn.init.constant_(next(p for n, p in model.named_parameters() if n.startswith(name[1:])), value)
    return model


@pytest.mark.parametrize("weights", [{"_0": float("nan")}, {"_0": 0.0}, {"_5": float("inf")}, {"_0": 1e30}])
def test_trainings_beyond_help_have_pictures_or_none_and_never_raise(weights: dict[str, float]) -> None:
    settings = Settings(quick=True, select=("init", "schedule", "data"), pictures=True)
    report = diagnose(build(model=broken(**weights)), settings=settings)
    assert "The learning rate of the whole run, simulated" in [shown.title for shown in report.pictures]


def test_trials_that_all_diverge_are_drawn() -> None:
    nan, inf = float("nan"), float("inf")
    for losses in ((nan,), (2.3, inf), (1e300,)):
        gone = tuple(Trial(factor, factor, losses, True) for factor in (1.0, 0.1))
        (shown,) = pictures({"rate_trials": replace(TRIALS, trials=gone, initial=losses[0])})
        assert "without shooting up" in shown.words


def test_the_file_is_what_matplotlib_saves() -> None:
    figure, axes = axes_for(None, 3.0, 2.0)
    axes.plot([1, 2, 3])
    saved = io.BytesIO()
    figure.savefig(saved, format="png", dpi=DOTS)
    assert png(figure) == saved.getvalue()
