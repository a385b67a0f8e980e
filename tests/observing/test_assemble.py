"""From what a loop did to what is diagnosed."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, SubsetRandomSampler, TensorDataset

from trainingdoctor import Training, Unavailable
from trainingdoctor.errors import Reason
from trainingdoctor.measure.batches import Batch
from trainingdoctor.observing.assemble import assembled, rewound
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.limits import Enough, Limits
from trainingdoctor.observing.recorder import Recorder

DATA = TensorDataset(torch.randn(32, 6), torch.arange(32) % 3)


class Layer(nn.Linear):
    """Trains itself, under the name that nn.Module has for another thing, past the hooks of forward()."""

    def __init__(self) -> None:
        super().__init__(6, 6)
        self.optimizer = torch.optim.Adam(self.parameters(), 0.01)

    def train(self, x: Any) -> Any:  # type: ignore[override]
        """As in forward-forward."""
        for _ in range(6):
            self.optimizer.zero_grad()
            self.forward(x).pow(2).mean().backward()
            self.optimizer.step()
        return self.forward(x).detach()


def of(recorder: Recorder) -> tuple[Training, dict[str, Any]]:
    rewound(recorder)
    return assembled(recorder, Path("train.py"))


def test_layers_that_train_themselves_on_one_batch() -> None:
    first, second = Layer(), Layer()
    with observed(Recorder(stops=False)) as recorder:
        x, _ = next(iter(DataLoader(DATA, 16)))
        second.train(first.train(x))
    training, known = of(recorder)
    assert training.model is None
    assert training.optimizer == [first.optimizer, second.optimizer]
    assert isinstance(training.train_loader, list)
    assert len(known["loop_trace"].steps) == 12


def test_a_loop_that_takes_one_batch_of_each_pass_counts_no_epochs() -> None:
    model, loader, recorder = nn.Linear(6, 3), DataLoader(DATA, 4), Recorder(Limits(steps=9))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with observed(recorder), suppress(Enough):
        for _ in range(10_000):
            x, y = next(iter(loader))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    training, known = of(recorder)
    assert (training.epochs, known["loop_trace"].epochs, len(known["loop_trace"].steps)) == (None, None, 9)


def test_a_model_with_a_loop_of_its_own_is_put_back() -> None:
    layer = Layer()
    with observed(Recorder(stops=False)) as recorder:
        layer(DATA.tensors[0]).sum().backward()
    layer.training = False
    assert of(recorder)[0].model is layer
    assert layer.training


def discriminate(label: Any) -> dict[str, Any]:
    net, loss = nn.Sequential(nn.Linear(6, 1), nn.Flatten(0)), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with observed(Recorder(stops=False)) as recorder:
        for x, y in DataLoader(DATA, 8):
            for target in label(y):
                optimizer.zero_grad()
                loss(net(x), target).backward()
                optimizer.step()
    return of(recorder)[1]


def test_a_discriminator_is_not_asked_for_augmentation() -> None:
    known = discriminate(lambda y: (torch.ones(len(y)), torch.zeros(len(y))))
    assert isinstance(known["augmentation_pairs"], Unavailable)
    assert "augmentation_pairs" not in discriminate(lambda y: [(y == 0).float()])


def test_a_loop_that_changes_weights_by_hand_is_stopped() -> None:
    net = nn.Linear(6, 1)
    steps = 0
    with observed(Recorder(Limits(steps=4))):
        try:
            for _ in range(1000):
                net(DATA.tensors[0]).mean().backward()
                with torch.no_grad():
                    for p in net.parameters():
                        p.sub_(0.1 * p.grad)
                steps += 1
        except Enough:
            pass
    assert steps < 13


def test_a_step_whose_closure_takes_long_is_not_waited_for() -> None:
    net = nn.Linear(6, 1)
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=500, tolerance_grad=0, tolerance_change=0)
    calls = 0

    def closure() -> torch.Tensor:
        nonlocal calls
        calls += 1
        optimizer.zero_grad()
        loss = (net(DATA.tensors[0]) - 1).pow(2).mean()
        loss.backward()
        return loss

    with observed(Recorder(Limits(total=0.0))) as recorder, pytest.raises(Enough):
        optimizer.step(closure)
    assert calls == 1
    assert len(of(recorder)[1]["loop_trace"].steps) == 1


def test_a_slow_epoch_ends_for_its_evaluation_to_be_seen() -> None:
    net = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    training, evaluation = DataLoader(DATA, 2), DataLoader(DATA, 2)

    def loop() -> None:
        for _ in range(9):
            for x, y in training:
                nn.functional.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                recorder.clock.started = time.monotonic() - 61
            for x, _ in evaluation:
                with torch.no_grad():
                    net(x)

    with observed(Recorder(Limits(total=60.0))) as recorder, pytest.raises(Enough):
        loop()
    assert [(p.kind, p.batches) for p in recorder.passes] == [("training", 1), ("evaluation", 10)]


def data(count: int) -> TensorDataset:
    return TensorDataset(torch.randn(count, 6), torch.arange(count) % 3)


def watched(loop: Callable[[nn.Module, torch.optim.Optimizer], None], model: nn.Module) -> tuple[Training, Recorder]:
    recorder = Recorder()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with observed(recorder):
        loop(model, optimizer)
    return assembled(recorder, Path("script.py"))[0], recorder


def step(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def test_an_evaluation_of_the_training_data_is_not_the_evaluation_where_there_is_another() -> None:
    train, test = data(80), data(20)

    def loop(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        for x, y in DataLoader(train, 10, shuffle=True):
            step(model, optimizer, x, y)
        with torch.no_grad():
            for split in (train, test):
                for x, _ in DataLoader(split, 10):
                    model(x)

    training, _ = watched(loop, nn.Linear(6, 3))
    assert isinstance(training.val_loader, DataLoader)
    assert training.val_loader.dataset is test


def test_a_sample_without_a_batch_dimension_is_never_cut() -> None:
    class NGram(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = nn.Embedding(9, 4), nn.Linear(8, 9)

        def forward(self, words: Tensor) -> Tensor:
            logits: Tensor = self.head(self.table(words).view(1, -1))
            return logits

    def loop(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        for word in range(6):
            step(model, optimizer, torch.tensor([word, word + 1]), torch.tensor([word + 2]))

    model = NGram()
    batches = watched(loop, model)[1].losses.samples.of("training", id(model))
    assert [b.size for b in batches] == [1] * 6
    assert batches[0].first(1).inputs.tolist() == [0, 1]
    assert Batch(torch.zeros(2, 6), torch.zeros(2)).first(1).size == 1


class Twice(TensorDataset):
    """Two views of each sample."""

    def __getitem__(self, index: int) -> Any:
        x, y = super().__getitem__(index)
        return [x, x + 0.1], y


def test_what_is_said_of_loaders_does_not_apply_to_a_loop_without_one() -> None:
    def loop(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        for start in (0, 8, 16):
            step(model, optimizer, DATA.tensors[0][start : start + 8], DATA.tensors[1][start : start + 8])

    known = of(watched(loop, nn.Linear(6, 3))[1])[1]
    assert {known[name].reason for name in ("train_loader", "val_loader", "epochs")} == {Reason.NOT_APPLICABLE}
    assert "train_loader" not in discriminate(lambda y: [(y == 0).float()])


def test_a_model_is_given_what_the_loop_made_of_its_loaders_batches() -> None:
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with observed(Recorder()) as recorder:
        for views, _ in DataLoader(Twice(*DATA.tensors), 8):
            first, second = model(torch.cat(views)).chunk(2)
            optimizer.zero_grad()
            (first - second).pow(2).mean().backward()
            optimizer.step()
    batches = of(recorder)[1]["train_batches"]
    assert batches[0].inputs.shape == (16, 6)
    assert batches[0].targets is None


def test_a_model_that_gets_its_loaders_batches_is_given_others() -> None:
    model = nn.Linear(6, 3)
    with observed(Recorder()) as recorder:
        for x, _ in DataLoader(DATA, 8):
            model(x).pow(2).mean().backward()
    assert "train_batches" not in of(recorder)[1]


def test_a_test_behind_the_loop_is_seen_in_the_source() -> None:
    def loop(model: nn.Module, optimizer: torch.optim.Optimizer, test: DataLoader[Any]) -> None:
        train = DataLoader(data(80), 10, shuffle=True)
        for _ in range(9):
            for x, y in train:
                step(model.train(), optimizer, x, y)
            with torch.no_grad():
                for x, _ in train:
                    model.eval()(x)
        for x, _ in test:
            model(x)

    model, recorder, test = nn.Linear(6, 3), Recorder(), DataLoader(data(20), 10)
    with observed(recorder), pytest.raises(Enough):
        loop(model, torch.optim.SGD(model.parameters(), 0.1), test)
    training, known = of(recorder)
    assert training.val_loader is test
    assert known["loop_trace"].evaluates_later.startswith("test_assemble.py:")


class Part(Sampler[int]):
    """Of one's own, as a script of before SubsetRandomSampler has it."""

    def __init__(self, size: int, start: int = 0) -> None:
        self.size, self.start = size, start

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.start + self.size))

    def __len__(self) -> int:
        return self.size


@pytest.mark.parametrize(
    "part", [Part(20, start=80), SubsetRandomSampler(range(80, 100)), None], ids=("own", "subset", "none")
)
def test_an_evaluation_on_another_part_of_the_data_goes_before_a_later_test(part: Any) -> None:
    everything, test = data(100), DataLoader(data(20), 10)
    trained = Part(80) if isinstance(part, Part) else SubsetRandomSampler(range(80))
    train, val = DataLoader(everything, 10, sampler=trained), DataLoader(everything, 10, sampler=part)

    def loop(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        for _ in range(9):
            for x, y in train:
                step(model.train(), optimizer, x, y)
            with torch.no_grad():
                for x, _ in val:
                    model.eval()(x)
        for x, _ in test:
            model(x)

    model, recorder = nn.Linear(6, 3), Recorder()
    with observed(recorder), pytest.raises(Enough):
        loop(model, torch.optim.SGD(model.parameters(), 0.1))
    assert of(recorder)[0].val_loader is (test if part is None else val)


def test_a_momentum_that_is_zero_for_a_second_pass_comes_back() -> None:
    norm = nn.BatchNorm1d(6)

    def loop(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        step(model, optimizer, *DATA.tensors)
        norm.momentum = 0.0

    recorder = watched(loop, nn.Sequential(norm, nn.Linear(6, 3)))[1]
    rewound(recorder)
    assert norm.momentum == 0.1


def test_gradients_are_on_after_a_loop_that_steps_without_them() -> None:
    def loop(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        nn.functional.cross_entropy(model(DATA.tensors[0]), DATA.tensors[1]).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            optimizer.step()

    rewound(watched(loop, nn.Linear(6, 3))[1])
    assert torch.is_grad_enabled()


def test_a_token_and_a_state_are_never_cut() -> None:
    cell = nn.GRU(6, 4, num_layers=3)
    with observed(Recorder()) as recorder:
        for _ in DataLoader(DATA, 8):
            cell(torch.zeros(1, 1, 6), torch.zeros(3, 1, 4))[0].sum().backward()
    batch = of(recorder)[1]["train_batches"][0]
    assert [list(t.shape) for t in batch.first(1).inputs] == [[1, 1, 6], [3, 1, 4]]
