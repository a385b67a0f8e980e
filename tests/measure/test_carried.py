"""Models that keep a hidden state between batches, which their loop resets."""

import pytest
import torch
from torch import Tensor, nn

from trainingdoctor.errors import UserCodeError
from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.carried import release_all
from trainingdoctor.measure.steps import training_step

BATCH = Batch(torch.randn(4, 5, 3), torch.tensor([0, 1, 0, 1]))


class Recurrent(nn.Module):
    """As in many a tutorial: `model.hidden = model.init_hidden()` before each batch is the loop's."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(3, 6, batch_first=True), nn.Linear(6, 2)
        self.hidden = (torch.zeros(1, 4, 6), torch.zeros(1, 4, 6))

    def forward(self, x: Tensor) -> Tensor:
        steps, self.hidden = self.lstm(x, self.hidden)
        return self.head(steps[:, -1])


class Scaled(nn.Module):
    """Computes from a parameter once and for all: the second backward() of any loop raises."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(15, 2))
        self.scale = self.weight.exp()

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.scale


def _steps(model: nn.Module) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        training_step(model, BATCH, nn.CrossEntropyLoss(), [optimizer])


def test_a_hidden_state_is_let_go_of_between_batches() -> None:
    model = Recurrent()
    with torch.no_grad():
        forward(model, BATCH)
    _steps(model)


def test_what_is_computed_once_from_a_parameter_raises_as_in_a_loop() -> None:
    with pytest.raises(UserCodeError, match="a second time"):
        _steps(Scaled())


def test_what_a_loop_has_left_in_a_model_is_let_go_of() -> None:
    model = Recurrent()
    model(BATCH.inputs).sum().backward()
    release_all(model)
    assert all(state.grad_fn is None and state.abs().sum() > 0 for state in model.hidden)
    _steps(model)
