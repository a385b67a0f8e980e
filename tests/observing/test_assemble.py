"""What is taken for the training's parts, of all that a loop used."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.measure.batches import Batch
from trainingdoctor.observing.assemble import assembled
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.limits import Enough
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.training import Training


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
    batches = watched(loop, model)[1].samples.of("training", id(model))
    assert [b.size for b in batches] == [1] * 6
    assert batches[0].first(1).inputs.tolist() == [0, 1]
    assert Batch(torch.zeros(2, 6), torch.zeros(2)).first(1).size == 1


def test_a_loop_that_changes_the_weights_by_hand_ends() -> None:
    model, recorder = nn.Linear(6, 3), Recorder()

    def loop() -> None:
        for _ in range(10_000):
            nn.functional.cross_entropy(model(torch.randn(4, 6)), torch.tensor([0, 1, 2, 0])).backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                for parameter in model.parameters():
                    assert parameter.grad is not None
                    parameter.sub_(0.1 * parameter.grad)
                    parameter.grad = None

    with observed(recorder), pytest.raises(Enough):
        loop()
    assert recorder.backwards == 3 * recorder.limits.steps
    assert assembled(recorder, Path("script.py"))[0].model is model
