"""Looking changes nothing: whatever the block does, the training comes back bit for bit."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.data import DataLoader, Dataset, TensorDataset

from trainingdoctor import Training, diagnose
from trainingdoctor.deadline import TimeUp, limited
from trainingdoctor.measure.restore import restored
from trainingdoctor.report import Outcome
from trainingdoctor.settings import Settings


class Tied(nn.Module):
    """Encoder and decoder share a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(48, 48, bias=False)
        self.decode = nn.Linear(48, 48, bias=False)
        self.decode.weight = self.encode.weight
        self.out = nn.Linear(48, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.decode(self.encode(x.flatten(1)[:, :48]).relu()))


class Shared(nn.Module):
    """One module in two places."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.Sequential(nn.Linear(48, 48), nn.BatchNorm1d(48), nn.ReLU())
        self.body = nn.Sequential(block, block)
        self.out = nn.Linear(48, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.body(x.flatten(1)[:, :48]))


class Reparametrized(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = weight_norm(nn.Linear(48, 16))
        self.second = nn.utils.weight_norm(nn.Linear(16, 4))
        self.third = nn.utils.spectral_norm(nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.third(self.second(self.first(x.flatten(1)[:, :48]).relu()))


class Averaging(nn.Module):
    """Replaces a buffer in forward, keeps an average of its weights, counts in a plain attribute and a list."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(48, 4)
        self.average = torch.optim.swa_utils.AveragedModel(nn.Linear(48, 4))
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("wide", torch.ones(1, 48).expand(3, 48))
        self.calls, self.history = 0, [1.0]

    def forward(self, x: Tensor) -> Tensor:
        self.seen = self.seen + 1
        self.calls += 1
        self.history.append(float(x.mean()))
        self.average.update_parameters(self.layer)
        return self.layer(x.flatten(1)[:, :48] * self.wide[:1])


class Tokens(nn.Module):
    """Sparse gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 8, sparse=True)
        self.out = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.table((x.flatten(1)[:, :6].abs() * 5).long().clamp(max=19)).mean(1))


MODELS = (Tied, Shared, Reparametrized, Averaging, Tokens)


class Noisy(Dataset):
    """Draws from generators of its own and from the global ones."""

    def __init__(self) -> None:
        self.own = np.random.default_rng(1)
        self.old = np.random.RandomState(2)
        self.python = random.Random(3)
        self.torch = torch.Generator().manual_seed(4)
        self.drawn = 0

    def __len__(self) -> int:
        return 96

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        self.drawn += 1
        shift = self.own.normal() + self.old.normal() + self.python.random() + random.random() + np.random.rand()
        return torch.randn(3, 4, 4, generator=self.torch) + float(shift) + torch.randn(1), index % 4


def build(make: Callable[[], nn.Module], loader: Any = None) -> Training:
    torch.manual_seed(0)
    model = make()
    sparse = isinstance(model, Tokens)
    trainable = [p for n, p in model.named_parameters() if "average" not in n]
    optimizer: Any = (
        torch.optim.SGD(trainable, lr=0.01, momentum=0.0 if sparse else 0.9)
        if sparse
        else torch.optim.AdamW(trainable, lr=1e-3)
    )
    x = torch.randn(96, 3, 4, 4)
    generator = torch.Generator().manual_seed(5)
    return Training(
        model=model,
        train_loader=loader
        or DataLoader(TensorDataset(x, torch.arange(96) % 4), batch_size=32, shuffle=True, generator=generator),
        val_loader=DataLoader(TensorDataset(x, torch.arange(96) % 4), batch_size=32),
        criterion=nn.CrossEntropyLoss(),
        optimizer=optimizer,
        scheduler=torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=15),
        scheduler_interval="step",
        epochs=5,
    )


def used(training: Training) -> Training:
    """A step made, so that gradients, moments and a moved schedule are there; and a mixture of modes."""
    model: Any = training.model
    x = torch.randn(8, 3, 4, 4)
    training.criterion(model(x), torch.arange(8) % 4).backward()  # type: ignore[misc]
    training.optimizer.step()
    training.scheduler.step()
    next(iter(model.children())).eval()
    next(iter(model.parameters())).requires_grad_(False)
    model.register_forward_hook(lambda *_: None)
    return training


READERS: dict[type, Callable[[Any], Any]] = {
    Tensor: lambda v: (str(v.dtype), tuple(v.shape), dense(v).clone().contiguous().numpy().tobytes()),
    torch.Generator: lambda v: bits(v.get_state()),
    np.ndarray: lambda v: v.tobytes(),
    np.random.Generator: lambda v: str(v.bit_generator.state),
    np.random.RandomState: lambda v: bits(v.get_state()),
    random.Random: lambda v: v.getstate(),
    dict: lambda v: {str(k): bits(item) for k, item in v.items()},
    list: lambda v: [bits(item) for item in v],
    tuple: lambda v: [bits(item) for item in v],
}


def dense(tensor: Tensor) -> Tensor:
    return tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()


def bits(value: Any) -> Any:
    """Comparable contents of anything here."""
    read = next((r for kind, r in READERS.items() if isinstance(value, kind)), None)
    if read is not None:
        return read(value)
    return value if isinstance(value, int | float | str | bool | None) else type(value).__name__


def snapshot(training: Training) -> dict[str, Any]:
    model: Any = training.model
    loader: Any = training.train_loader
    return {
        "identity": [id(t) for t in (*model.parameters(), *model.buffers())],
        "pointers": [t.data_ptr() for t in model.parameters()],
        "strides": [t.stride() for t in model.parameters()],
        "state": bits(model.state_dict()),
        "gradients": [(id(p.grad), bits(p.grad)) for p in model.parameters()],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "modes": [m.training for m in model.modules()],
        "attributes": [bits({k: v for k, v in vars(m).items() if not k.startswith("_")}) for m in model.modules()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in model.modules()],
        "optimizer": bits(training.optimizer.state_dict()),
        "state_identity": [id(s) for s in training.optimizer.state.values()],
        "scheduler": bits(training.scheduler.state_dict()),
        "loader": bits(vars(loader)),
        "dataset": bits(vars(loader.dataset)),
        "python": random.getstate(),
        "numpy": bits(np.random.get_state()),
        "torch": bits(torch.get_rng_state()),
        "grad": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    keys = [key for key in before if before[key] != after[key]]
    return [f"{key}: {before[key]} -> {after[key]}"[:3000] for key in keys]


@pytest.mark.parametrize("make", MODELS, ids=lambda m: m.__name__)
def test_a_diagnosis_changes_nothing(make: Callable[[], nn.Module]) -> None:
    training = used(build(make))
    before = snapshot(training)
    report = diagnose(training)
    assert [(r.code, r.reason) for r in report.results if r.outcome is Outcome.CRASHED] == []
    assert changed(before, snapshot(training)) == []


@pytest.mark.parametrize("persistent", [False, True])
def test_random_states_of_loaders_and_data_sets_come_back(persistent: bool) -> None:
    workers: dict[str, Any] = {"num_workers": 1, "persistent_workers": True} if persistent else {}
    loader = DataLoader(Noisy(), batch_size=32, shuffle=True, generator=torch.Generator().manual_seed(6), **workers)
    training = used(build(Tied, loader))
    before = snapshot(training)
    report = diagnose(training, settings=Settings(quick=True))
    assert [r.reason for r in report.results if "persistent_workers" in r.reason] == []
    assert [f.message for f in report.findings if f.code == "training.raises"] == []
    assert changed(before, snapshot(training)) == []


def spoil(training: Training) -> None:
    """Everything that a careless measurement could leave behind."""
    model: Any = training.model
    for parameter in model.parameters():
        parameter.data = torch.zeros_like(parameter)
        parameter.grad = torch.ones_like(parameter)
        parameter.requires_grad_(True)
    model.register_forward_hook(lambda *_: None)
    model.train()
    model.extra = torch.zeros(3)
    model.calls = 99
    training.optimizer.state.clear()
    training.optimizer.param_groups[0]["lr"] = 7.0
    training.scheduler.last_epoch = 3
    iter(training.train_loader)  # type: ignore[call-overload]
    random.random()
    np.random.rand()
    torch.rand(1)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)


def test_what_is_spoilt_comes_back_after_an_exception() -> None:
    training = used(build(Averaging))
    before = snapshot(training)

    def measure() -> None:
        with restored(training):
            spoil(training)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measure()
    assert changed(before, snapshot(training)) == []


def test_what_is_spoilt_comes_back_after_a_time_out_in_the_middle_of_a_step() -> None:
    training = used(build(Averaging))
    before = snapshot(training)
    model: Any = training.model

    def hang(*_: Any) -> None:
        spoil(training)
        time.sleep(60)

    def measure() -> None:
        with restored(training), limited(0.2):
            model.layer.register_full_backward_hook(hang)
            x = torch.randn(8, 3, 4, 4, requires_grad=True)
            training.criterion(model(x), torch.arange(8) % 4).backward()  # type: ignore[misc]

    with pytest.raises(TimeUp):
        measure()
    assert changed(before, snapshot(training)) == []
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


class Slots:
    __slots__ = ("count", "generator")

    def __init__(self) -> None:
        self.count, self.generator = 0, np.random.default_rng(0)

    def __call__(self, inputs: Tensor) -> Tensor:
        self.count += 1
        return inputs + float(self.generator.normal())


def closure() -> tuple[Callable[[Tensor], Tensor], Callable[[], Any]]:
    count, tally, generator = 0, Counter(a=1), torch.Generator().manual_seed(0)

    def augment(inputs: Tensor) -> Tensor:
        nonlocal count
        count += 1
        tally["b"] += 1
        return inputs + torch.rand(1, generator=generator)

    return augment, lambda: (count, dict(tally), bits(generator))


def test_slots_closures_and_partial_functions_come_back() -> None:
    slots, (function, state) = Slots(), closure()
    before = state(), bits(slots.generator)
    with restored(Training(augment_on_device=partial(lambda a, b, x: a(b(x)), slots, function))):
        slots(function(torch.zeros(1)))
    assert (state(), bits(slots.generator), slots.count) == (*before, 0)


def test_one_step_that_cannot_be_undone_does_not_stop_the_others() -> None:
    training = used(build(Tied))
    array = np.zeros(4)
    training.criterion.array = array  # type: ignore[union-attr]
    before = snapshot(training)

    def measure() -> None:
        with restored(training):
            spoil(training)
            array.flags.writeable = False

    with pytest.raises(ValueError, match="read-only"):
        measure()
    assert changed(before, snapshot(training)) == []


def test_there_may_be_no_folder_to_come_back_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with restored(nn.Linear(2, 2)):
        random.random()
    with pytest.raises(FileNotFoundError):
        Path.cwd()


class Renamed(Slots):
    """A property has the name of a slot of the class above, as in Python 3.13's paths."""

    @property
    def count(self) -> int:  # type: ignore[override]
        return 7


def test_a_slot_under_a_property_comes_back() -> None:
    slot = Slots.count  # type: ignore[attr-defined]
    held = Renamed.__new__(Renamed)
    slot.__set__(held, 1)
    model = nn.Linear(2, 2)
    model.held = held  # type: ignore[assignment]
    with restored(Training(model=model)):
        slot.__set__(held, 5)
    assert slot.__get__(held) == 1
