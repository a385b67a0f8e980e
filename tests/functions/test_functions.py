"""The public functions: their examples run, they leave nothing behind, they refuse with a reason."""

import doctest
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import trainingdoctor
from trainingdoctor import Training, Unavailable, augmentation_pairs, one_step, restored, schedule_trace

NAMES = ("augmentation_pairs", "lr_range_test", "one_step", "restored", "schedule_trace")


@pytest.mark.parametrize("name", NAMES)
def test_the_example_in_the_docstring_runs(name: str) -> None:
    tests = doctest.DocTestFinder().find(getattr(trainingdoctor, name), name, module=False, globs={})
    examples = [t for t in tests if t.examples]
    assert examples
    for test in examples:
        said: list[str] = []
        assert doctest.DocTestRunner().run(test, out=said.append).failed == 0, "".join(said)


# ---- restored


def test_restored_takes_parts_lists_and_whole_trainings(training: Any) -> None:
    t = training()
    for objects in ((t,), (t.model, t.optimizer), (t.train_loader, [t.optimizer], {"net": t.model}), (None, t.model)):
        before = {k: v.clone() for k, v in t.model.state_dict().items()}
        with restored(*objects):
            for parameter in t.model.parameters():
                parameter.data.mul_(3)
            t.model.eval()
        assert all(torch.equal(v, before[k]) for k, v in t.model.state_dict().items())
        assert t.model.training


def test_restored_puts_back_the_generators_of_a_loader() -> None:
    generator = torch.Generator().manual_seed(3)
    loader = DataLoader(TensorDataset(torch.zeros(8)), shuffle=True, generator=generator)
    before = generator.get_state()
    with restored(loader):
        list(loader)
    assert torch.equal(generator.get_state(), before)


class Owner(torch.utils.data.Dataset):
    """A data set that holds a model, as distillation does."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> Any:
        return torch.zeros(3), 0


def test_a_model_that_a_data_set_reaches_too_is_restored_whole() -> None:
    model = nn.Linear(300, 300)
    before = model.weight.clone()
    with restored(DataLoader(Owner(model)), model):
        model.weight.data.zero_()
    assert torch.equal(model.weight, before)


class Average:
    """Home-made, with no state_dict: a moving average of weights."""

    def __init__(self, model: nn.Module) -> None:
        self.shadow = [p.detach().clone() for p in model.parameters()]


def test_unknown_objects_are_restored_whole() -> None:
    average = Average(nn.Linear(300, 300))
    before = average.shadow[0].clone()
    with restored(average):
        average.shadow[0].zero_()
    assert torch.equal(average.shadow[0], before)


# ---- schedule_trace


def test_a_schedule_per_step_and_one_that_raises() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.4, total_steps=40)
    trace = schedule_trace(optimizer, scheduler, 4, 10, interval="step")
    assert len(trace.rates) == 40
    assert trace.peak == pytest.approx(0.4)
    assert trace.error is None
    longer = schedule_trace(optimizer, scheduler, 5, 10, interval="step")
    assert longer.failed_at == len(longer.rates) == 41
    assert "ValueError" in str(longer.error)
    assert scheduler.last_epoch == 0


def test_no_scheduler_is_a_constant_rate() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    assert schedule_trace(optimizer, None, 3, 10, interval="step").rates == (0.1, 0.1, 0.1)


@pytest.mark.parametrize(
    ("epochs", "steps", "interval"), [(0, None, "epoch"), (3, None, "step"), (3, 0, "step"), (3, 5, "batch")]
)
def test_impossible_schedules(epochs: int, steps: int | None, interval: str) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    with pytest.raises(ValueError, match=r"epochs|interval|steps"):
        schedule_trace(optimizer, None, epochs, steps, interval=interval)
    with pytest.raises(Unavailable, match="param_groups"):
        schedule_trace(object(), None, 3)


# ---- one_step


def test_a_step_leaves_nothing_and_sees_everything(training: Any) -> None:
    t = training()
    t.model.eval()
    before = {k: v.clone() for k, v in t.model.state_dict().items()}
    random_state = torch.get_rng_state()
    step = one_step(t.model, t.train_loader, t.criterion, t.optimizer, samples=16)
    assert step.batch_size == 16
    assert [a.kind for a in step.activations][:3] == ["Conv2d", "BatchNorm2d", "ReLU"]
    assert all(p.update for p in step.weights)
    assert step.seconds is not None
    assert all(torch.equal(v, before[k]) for k, v in t.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert not t.model.training
    assert not t.optimizer.state
    assert all(p.grad is None for p in t.model.parameters())


def test_clipping_limits_the_update_and_not_the_gradient() -> None:
    model = nn.Linear(4, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    batch = torch.ones(8, 4), torch.full((8, 1), 100.0)
    free = one_step(model, batch, nn.MSELoss(), optimizer)
    tight = one_step(model, batch, nn.MSELoss(), optimizer, grad_clip=0.01)
    assert tight.gradient_norm == pytest.approx(free.gradient_norm)
    weight = tight.parameters[0]
    assert weight.update == pytest.approx(0.01 / weight.weight, rel=1e-3)


@pytest.mark.parametrize(
    "data",
    [
        (torch.ones(4, 3), torch.zeros(4, dtype=torch.long)),
        [torch.ones(4, 3), torch.zeros(4, dtype=torch.long)],
        [(torch.ones(4, 3), torch.zeros(4, dtype=torch.long))],
        {"input": torch.ones(4, 3), "label": torch.zeros(4, dtype=torch.long)},
        DataLoader(TensorDataset(torch.ones(4, 3), torch.zeros(4, dtype=torch.long)), batch_size=4),
    ],
)
def test_batches_and_loaders_in_every_shape(data: Any) -> None:
    step = one_step(nn.Linear(3, 2), data, nn.CrossEntropyLoss())
    assert step.batch_size == 4
    assert step.seconds is None
    assert all(p.update is None for p in step.parameters)


def test_the_first_module_that_overflows_is_named() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    with torch.no_grad():
        model[1].weight.fill_(float("inf"))
    step = one_step(model, (torch.ones(4, 3), torch.zeros(4, dtype=torch.long)), nn.CrossEntropyLoss())
    assert step.first_nonfinite == "1"


# ---- augmentation_pairs


class Noisy(torch.utils.data.Dataset):
    """Images with noise from a generator of its own."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)

    def __len__(self) -> int:
        return 9

    def __getitem__(self, i: int) -> Any:
        return torch.full((1, 120, 120), float(i)) + torch.from_numpy(self.random.normal(size=(1, 120, 120))).float(), i


def test_draws_leave_the_data_sets_generator_alone() -> None:
    data = Noisy()
    before = data.random.bit_generator.state
    pairs = augmentation_pairs(DataLoader(data, batch_size=3), draws=3)
    assert pairs.varies
    assert pairs.samples == 9
    assert pairs.pictures is not None
    assert pairs.pictures.shape == (3, 6, 1, 96, 96)
    assert data.random.bit_generator.state == before


class Endless(IterableDataset):
    def __iter__(self) -> Any:
        return iter([(torch.zeros(3), 0)] * 8)


def test_what_cannot_be_drawn_twice() -> None:
    with pytest.raises(Unavailable, match="twice"):
        augmentation_pairs(DataLoader(Endless()))
    with pytest.raises(ValueError, match="draws"):
        augmentation_pairs(DataLoader(Noisy()), draws=1)


def test_everything_works_on_the_parts_of_a_training(training: Any) -> None:
    t: Training = training()
    trace = schedule_trace(t.optimizer, t.scheduler, 5)
    curve = trainingdoctor.lr_range_test(
        t.model, t.train_loader, t.criterion, t.optimizer, rate=trace.peak, steps=20, seeds=1
    )
    assert curve.rate == trace.peak
