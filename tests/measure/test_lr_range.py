"""The range test: what is read off a curve, and what a ramp leaves behind (nothing)."""

import copy
import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from trainingdoctor import LrCurve, Unavailable, UserCodeError, lr_range_test
from trainingdoctor.measure.curve_shape import shape, smoothed
from trainingdoctor.measure.lr_range import lr_curve, ramp_rates
from trainingdoctor.measure.ramp import climbed_away, endless, rate_ratios, set_rates, spread

RATES = ramp_rates(1e-6, 10.0, 100)


def bowl(seed: int, noise: float = 0.05, falls: float = 1e-4, edge: float = 0.3) -> tuple[float, ...]:
    """A textbook curve: flat at 2.3, falling from `falls` on to 1.3, climbing steeply from `edge` on."""
    random_state = np.random.default_rng(seed)
    losses = [2.3]
    for rate in RATES:
        fallen = np.clip(math.log10(rate / falls) / math.log10(edge / falls), 0, 1)
        climbed = max(0.0, math.log10(rate / edge)) * 4
        losses.append(float(2.3 - fallen + climbed + random_state.normal(0, noise)))
    return tuple(losses)


def curve(*runs: tuple[float, ...], rate: float = 0.05) -> LrCurve:
    return LrCurve(RATES, runs, rate)


def test_the_interval_of_a_textbook_curve() -> None:
    found = curve(bowl(0), bowl(1), bowl(2))
    assert found.stable is not None
    assert 1e-4 < found.stable[0] < 5e-4
    assert 0.2 < found.stable[1] < 0.5
    assert found.steepest is not None
    assert found.stable[0] <= found.steepest <= found.stable[1]
    assert found.suggested == (0.2 * found.stable[1], 0.5 * found.stable[1])
    assert len(found.edges) == 3
    assert not found.open
    assert found.why_not is None


@pytest.mark.parametrize(("rate", "place"), [(1e-5, "below"), (0.05, "inside"), (3.0, "above")])
def test_where_the_rate_lies(rate: float, place: str) -> None:
    assert curve(bowl(0), rate=rate).place == place


def test_noise_alone_is_no_interval() -> None:
    for seed in range(50):
        runs = [tuple(np.random.default_rng((seed, i)).normal(2.3, 0.1, 101).tolist()) for i in range(3)]
        found = curve(*runs)
        assert found.stable is None, seed
        assert found.suggested is None
        assert found.place == "unknown"
        assert "nothing was learned" in str(found.why_not)


def test_a_loss_that_only_climbs_has_no_interval() -> None:
    found = curve(tuple(2.3 + 0.1 * i for i in range(101)))
    assert found.stable is None
    assert found.edges == ()


def test_a_fall_to_the_end_leaves_the_edge_open() -> None:
    found = curve(bowl(0, edge=100.0), rate=50.0)
    assert found.open
    assert found.edge == pytest.approx(10.0)
    assert found.place == "unknown"


@pytest.mark.parametrize("end", [math.nan, math.inf, 1e30])
def test_an_early_end_is_the_edge(end: float) -> None:
    cut = RATES.index(min(RATES, key=lambda r: abs(r - 0.1)))
    runs = [(*bowl(i)[: cut + 1], end) for i in range(3)]
    found = curve(*runs)
    assert found.stable is not None
    assert 0.02 < found.stable[1] <= 0.1
    assert not found.open
    assert found.to_dict()["losses"][0][-1] == (end if math.isfinite(end) else None)


def test_the_median_outvotes_a_seed_that_diverged_early() -> None:
    early = (*bowl(0)[:40], math.nan)
    found = curve(early, bowl(1), bowl(2))
    assert found.stable is not None
    assert found.stable[1] > 0.1
    assert len(found.loss) == 100


def test_not_finite_from_the_start() -> None:
    found = curve((math.nan,), (math.nan,))
    assert found.stable is None
    assert found.loss == ()
    assert found.why_not == "the loss is not finite from the start"


def test_negative_losses_have_an_interval_too() -> None:
    found = curve(*(tuple(x - 50 for x in bowl(i)) for i in range(3)))
    assert found.stable is not None
    assert 0.2 < found.stable[1] < 0.5


def test_smoothing_does_not_lag_and_keeps_a_constant() -> None:
    kernel = np.array([0.25, 0.5, 0.25])
    assert smoothed(np.ones(5), kernel, 9.0).tolist() == pytest.approx([1] * 5)
    peak = np.array([0.0, 0, 0, 1, 0, 0, 0])
    assert int(smoothed(peak, kernel, 9.0).argmax()) == 3


def test_shape_of_a_short_run() -> None:
    assert shape([[1.0]], 10).loss == ()


def test_spread_ignores_a_trend() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 4000)
    assert spread(list(noise + np.linspace(5, 0, 4000))) == pytest.approx(0.1, rel=0.1)
    assert spread([1.0]) == 0.0


def test_when_a_ramp_ends() -> None:
    flat = [2.3, 2.4, 2.2, 2.3, 2.3]
    assert climbed_away([*flat, math.nan])
    assert climbed_away([*flat, 20.0, 20.0, 20.0])
    assert not climbed_away([*flat, 20.0, 2.0, 20.0])
    assert not climbed_away([*flat, 5.0, 5.0, 5.0])


# ---- on small real trainings


def test_a_healthy_training_has_an_interval(training: Any) -> None:
    t = training()
    found = lr_range_test(t.model, t.train_loader, t.criterion, t.optimizer, seeds=2)
    assert found.stable is not None
    assert found.place == "inside"
    assert found.rate == 0.05
    assert found.seeds == 2
    assert found.losses[0] != found.losses[1]
    assert found.seconds > 0


def test_seeds_are_reproducible(training: Any) -> None:
    t = training()
    one, two = (
        lr_range_test(t.model, t.train_loader, t.criterion, t.optimizer, seeds=1, steps=12).losses for _ in "ab"
    )
    assert one == two


def test_a_loaders_own_generator_is_seeded_and_put_back(training: Any) -> None:
    t = training()
    generator = torch.Generator().manual_seed(7)
    before = generator.get_state()
    loader = DataLoader(t.train_loader.dataset, batch_size=8, shuffle=True, generator=generator)
    found = lr_range_test(t.model, loader, t.criterion, t.optimizer, seeds=2, steps=10)
    assert found.losses[0] != found.losses[1]
    assert torch.equal(generator.get_state(), before)


def state(model: nn.Module, optimizers: list[Any]) -> list[Any]:
    parts: list[Any] = [v.clone() for v in model.state_dict().values()]
    parts += [p.grad.clone() for p in model.parameters() if p.grad is not None]
    parts += [copy.deepcopy(o.state_dict()) for o in optimizers]
    parts += [[m.training for m in model.modules()], [len(m._forward_hooks) for m in model.modules()]]
    return [*parts, random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state(), torch.is_grad_enabled()]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


@pytest.mark.parametrize("amp", [None, True, torch.float16])
@pytest.mark.parametrize("warm", [False, True])
def test_no_state_is_left_behind(training: Any, amp: Any, warm: bool) -> None:
    t = training()
    net = nn.Sequential(t.model, nn.Dropout(0.2))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    if warm:
        x, y = next(iter(t.train_loader))
        t.criterion(net(x), y).backward()
        optimizer.step()
    net.eval()
    before = state(net, [optimizer])
    lr_range_test(net, t.train_loader, t.criterion, optimizer, steps=12, seeds=2, amp=amp, grad_clip=1.0, accumulate=2)
    assert same(state(net, [optimizer]), before)


def test_no_state_is_left_behind_by_ctrl_c(training: Any) -> None:
    t = training()
    before = state(t.model, [t.optimizer])

    def stop(done: int, _total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lr_range_test(t.model, t.train_loader, t.criterion, t.optimizer, progress=stop)
    assert same(state(t.model, [t.optimizer]), before)


def test_groups_keep_their_ratio_and_get_the_ramp() -> None:
    a, b = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    frozen, other = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    rate = torch.tensor(0.05)
    one = torch.optim.SGD([{"params": [frozen], "lr": 0.0}, {"params": [a], "lr": 0.1}, {"params": [b], "lr": 0.01}])
    two = torch.optim.Adam([other], lr=rate, capturable=False, foreach=False)
    ratios = rate_ratios([one, two])
    assert ratios[0] == pytest.approx([0.0, 1.0, 0.1])
    assert ratios[1] == pytest.approx([0.5])
    set_rates([one, two], ratios, 2.0)
    assert [g["lr"] for g in one.param_groups] == pytest.approx([0.0, 2.0, 0.2])
    assert two.param_groups[0]["lr"] is rate
    assert float(rate) == pytest.approx(1.0)


def test_a_warm_up_from_zero_uses_the_rates_before_the_schedule(training: Any) -> None:
    t = training()
    torch.optim.lr_scheduler.LambdaLR(t.optimizer, lambda step: min(1.0, step / 100))
    assert t.optimizer.param_groups[0]["lr"] == 0
    found = lr_range_test(t.model, t.train_loader, t.criterion, t.optimizer, steps=10, seeds=1)
    assert found.rate == 0.05
    assert t.optimizer.param_groups[0]["lr"] == 0


def test_several_optimizers_step_together(training: Any) -> None:
    t = training()
    halves = list(t.model.parameters())
    optimizers = [torch.optim.SGD(halves[:2], lr=0.1), torch.optim.Adam(halves[2:], lr=0.01)]
    before = state(t.model, optimizers)
    found = lr_range_test(t.model, t.train_loader, t.criterion, optimizers, seeds=1, rate=0.2)
    assert found.rate == 0.2
    assert same(state(t.model, optimizers), before)


def test_accumulated_batches_make_one_step(training: Any) -> None:
    t = training()
    whole = DataLoader(t.train_loader.dataset, batch_size=32)
    parts = DataLoader(t.train_loader.dataset, batch_size=8)
    model = nn.Sequential(nn.Flatten(), nn.Linear(432, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    one = lr_range_test(model, whole, t.criterion, optimizer, steps=10, seeds=1, high=0.1)
    four = lr_range_test(model, parts, t.criterion, optimizer, steps=10, seeds=1, high=0.1, accumulate=4)
    assert four.losses[0] == pytest.approx(one.losses[0], rel=1e-4)
    assert four.accumulate == 4


class Named(nn.Module):
    """Takes a mapping's values by name, returns a mapping."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 3)

    def forward(self, features: torch.Tensor, scale: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.layer(features * scale[:, None])}


def test_batches_that_are_mappings() -> None:
    torch.manual_seed(0)
    rows = [{"features": torch.randn(8) + i % 3, "scale": torch.tensor(1.0), "label": i % 3} for i in range(48)]
    model = Named()
    found = lr_range_test(
        model, DataLoader(rows, batch_size=48), nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.1)
    )
    assert found.stable is not None


class Stream(IterableDataset):
    def __iter__(self) -> Iterator[Any]:
        generator = torch.Generator().manual_seed(0)
        for _ in range(64):
            x = torch.randn(8, generator=generator)
            yield x, x.sum(0, keepdim=True)


@pytest.mark.parametrize("loader", [DataLoader(Stream(), batch_size=32), DataLoader(list(Stream()), batch_size=64)])
def test_a_stream_and_a_single_batch_will_do(loader: Any) -> None:
    torch.manual_seed(0)
    model = nn.Linear(8, 1)
    found = lr_range_test(model, loader, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.05), seeds=1)
    assert found.stable is not None
    assert found.stable[1] < 5


def test_divergence_ends_the_ramp_early() -> None:
    torch.manual_seed(0)
    model = nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    found = lr_range_test(model, DataLoader(list(Stream()), batch_size=16), nn.MSELoss(), optimizer, high=1e4)
    assert all(len(run) < 90 for run in found.losses)
    assert found.place == "inside"


def test_nothing_is_learned_by_a_frozen_net(training: Any) -> None:
    t = training()
    spare = nn.Parameter(torch.zeros(1))
    t.model.requires_grad_(False)
    t.model[5].bias.requires_grad_(True)
    found = lr_range_test(
        t.model,
        t.train_loader,
        lambda p, y: t.criterion(p.detach(), y) + 0 * t.model[5].bias.sum(),
        torch.optim.SGD([spare], lr=0.1),
    )
    assert found.stable is None
    assert "nothing was learned" in str(found.why_not)


def test_a_loss_that_is_nan_is_reported(training: Any) -> None:
    t = training()
    found = lr_range_test(t.model, t.train_loader, lambda p, y: p.sum() * math.nan, t.optimizer)
    assert found.why_not == "the loss is not finite from the start"


@pytest.mark.parametrize(
    "wrong",
    [{"low": 0.0}, {"low": 1.0, "high": 0.1}, {"high": math.inf}, {"steps": 3}, {"seeds": 0}, {"accumulate": 0}],
)
def test_impossible_arguments(training: Any, wrong: dict[str, Any]) -> None:
    t = training()
    with pytest.raises(ValueError, match=r"low|steps|seeds"):
        lr_range_test(t.model, t.train_loader, t.criterion, t.optimizer, **wrong)


def test_what_cannot_be_measured_says_why(training: Any) -> None:
    t = training()
    lbfgs = torch.optim.LBFGS(t.model.parameters())
    still = torch.optim.SGD(t.model.parameters(), lr=0.0)
    batches = iter(t.train_loader)
    cases: list[tuple[Any, Any, Any, str]] = [
        (t.train_loader, t.criterion, lbfgs, "closure"),
        (t.train_loader, t.criterion, still, "above zero"),
        (t.train_loader, t.criterion, object(), "param_groups"),
        (t.train_loader, nn.CrossEntropyLoss(reduction="none"), t.optimizer, "not one"),
        (batches, t.criterion, t.optimizer, "its own iterator"),
        ([], t.criterion, t.optimizer, "empty"),
    ]
    for loader, criterion, optimizer, words in cases:
        with pytest.raises(Unavailable, match=words):
            lr_range_test(t.model, loader, criterion, optimizer, steps=10)


def test_the_users_errors_are_named(training: Any) -> None:
    t = training()

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("no loss today")

    before = state(t.model, [t.optimizer])
    with pytest.raises(UserCodeError, match="the criterion raised ZeroDivisionError: no loss today"):
        lr_range_test(t.model, t.train_loader, broken, t.optimizer)
    assert same(state(t.model, [t.optimizer]), before)


CALLED: list[int] = []


def test_augmentation_on_the_device_is_applied(training: Any) -> None:
    t = training()
    CALLED.clear()
    # A list that the function held in its closure would be put back, too.
    lr_range_test(
        t.model,
        t.train_loader,
        t.criterion,
        t.optimizer,
        steps=10,
        seeds=1,
        augment_on_device=lambda x: CALLED.append(1) or x,
    )
    assert len(CALLED) == 11


def test_epochs_follow_one_another() -> None:
    loader = DataLoader(TensorDataset(torch.arange(4.0)), batch_size=2)
    batches = endless(loader, None)
    assert [next(batches).inputs.tolist() for _ in range(3)] == [[0, 1], [2, 3], [0, 1]]


def test_the_evidence_is_the_same_measurement(training: Any) -> None:
    t = training()
    found = lr_curve(t.model, t.criterion, (t.optimizer,), t.train_loader, None, None, None, None, steps=20)
    plain = lr_range_test(t.model, t.train_loader, t.criterion, t.optimizer, steps=20, seeds=1)
    assert found.losses == plain.losses
    with pytest.raises(Unavailable, match="steps"):
        lr_curve(t.model, t.criterion, (t.optimizer,), t.train_loader, None, None, None, None, steps=2)
