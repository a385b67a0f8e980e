"""Dropout that is on in evaluation mode, and softmax over the samples or over one value."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.function_use import FunctionUse, function_use
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.model_use import dropout_without_mode, softmax_over_batch, softmax_over_one

ON = True
BATCHES = (Batch(torch.randn(8, 6), torch.arange(8) % 3),)


class Net(nn.Module):
    """A linear layer, after a function of the module and the inputs."""

    def __init__(self, function: Callable[["Net", Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.fc, self.known = function, nn.Linear(6, 3), nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of three classes."""
        return torch.as_tensor(self.fc(self.function(self, x)))


def use(function: Callable[[Net, Tensor], Tensor], *batches: Batch) -> FunctionUse:
    return function_use(Net(function), batches or BATCHES)


def attended(x: Tensor, p: float) -> Tensor:
    x = x[:, None]
    return F.scaled_dot_product_attention(x, x, x, dropout_p=p)[:, 0]


@pytest.mark.parametrize(
    ("function", "name", "severity"),
    [
        (lambda _, x: F.dropout(x, 0.1), "dropout", "warning"),
        (lambda _, x: F.dropout(x), "dropout", "warning"),
        (lambda _, x: F.alpha_dropout(x, p=0.1, training=ON), "alpha_dropout", "info"),
        (lambda _, x: F.dropout(x, 0.1, True), "dropout", "info"),
        (lambda _, x: nn.Dropout(0.1)(x), "Dropout", "warning"),
        (lambda _, x: attended(x, 0.1), "scaled_dot_product_attention", "warning"),
    ],
)
def test_dropout_that_does_not_know_the_mode(
    function: Callable[[Net, Tensor], Tensor], name: str, severity: str
) -> None:
    found = use(function)
    assert [d.name for d in found.dropouts] == [name]
    assert found.dropouts[0].where.startswith("test_function_use.py:")
    assert_unwell(dropout_without_mode, found, severity=severity)


@pytest.mark.parametrize(
    "function",
    [
        lambda net, x: F.dropout(x, 0.1, net.training),
        lambda net, x: F.dropout(net.known(x), p=0.0),
        lambda _, x: attended(x, 0.0),
    ],
)
def test_dropout_that_does(function: Callable[[Net, Tensor], Tensor]) -> None:
    assert_healthy(dropout_without_mode, use(function))


@pytest.mark.parametrize(
    "function",
    [
        lambda _, x: x * x.softmax(0),
        lambda _, x: x * torch.softmax(x, dim=-2),
        lambda _, x: x * F.log_softmax(x, 0),
        # Without a dimension it is the first one of three.
        lambda _, x: x * F.softmax(x.view(-1, 2, 3), _stacklevel=4).flatten(1),
        lambda _, x: x * (x.sum(1) / math.sqrt(6)).softmax(-1)[:, None],
        # Where branches are stacked in front of the samples, these stand second.
        lambda _, x: (torch.stack([x, -x]).softmax(1) * x).sum(0),
    ],
)
@pytest.mark.filterwarnings("ignore:Implicit dimension choice:UserWarning")
def test_softmax_over_the_samples(function: Callable[[Net, Tensor], Tensor]) -> None:
    found = use(function)
    assert found.over_batch[0].startswith("test_function_use.py:")
    assert_unwell(softmax_over_batch, found, severity="warning")


def test_softmax_over_what_is_no_sample() -> None:
    assert_healthy(softmax_over_batch, use(lambda _, x: x * x.softmax(1)))
    # Attention between the nodes of a graph, and over time, which comes first.
    assert_healthy(softmax_over_batch, use(lambda _, x: (x @ x.T).softmax(0) @ x))
    assert_healthy(softmax_over_batch, use(lambda _, x: x.T.softmax(0).T))
    # A bag of instances with one target, and targets for each time step.
    bag = Batch(torch.randn(8, 6), torch.ones(1))
    steps = Batch(torch.randn(8, 6), torch.zeros(8, 4, dtype=torch.long))
    for batch in (bag, steps):
        assert_healthy(softmax_over_batch, use(lambda _, x: x * x.softmax(0), batch))


@pytest.mark.parametrize(
    "function",
    [
        lambda _, x: x * x.sum(1, keepdim=True).softmax(1),
        lambda _, x: x * F.softmax(x.sum(1).view(-1, 1), dim=-1),
        lambda _, x: x * nn.Sequential(nn.Linear(6, 1), nn.Softmax(dim=1))(x),
    ],
)
def test_softmax_over_one_value(function: Callable[[Net, Tensor], Tensor]) -> None:
    found = use(function)
    assert found.over_one[0].startswith("test_function_use.py:")
    assert_unwell(softmax_over_one, found, severity="warning", mentions="single value")


def test_softmax_over_one_value_at_the_end_of_a_sequential() -> None:
    """No line of the user's calls it: its name tells where it is."""
    found = function_use(nn.Sequential(nn.Linear(6, 1), nn.Softmax(dim=1)), BATCHES)
    assert_unwell(softmax_over_one, found, severity="warning", mentions="model.1")
    assert_healthy(softmax_over_one, function_use(nn.Sequential(nn.Linear(6, 3), nn.Softmax(dim=1)), BATCHES))


def growing(_: Net, x: Tensor) -> Tensor:
    """Attention of each step over those before it: the first has one."""
    steps = x.view(-1, 3, 2)
    seen = [(steps[:, :end] @ steps[:, end - 1, :, None]).softmax(1) * steps[:, :end] for end in (1, 2, 3)]
    return x + seen[-1].flatten(1)


def test_softmax_over_several() -> None:
    assert_healthy(softmax_over_one, use(lambda _, x: x * x.softmax(1)))
    assert_healthy(softmax_over_one, use(growing))
    # What a layer of torch does within is its own matter: here one position attends to itself.
    attention = nn.MultiheadAttention(6, 2, batch_first=True)
    assert_healthy(softmax_over_one, use(lambda _, x: x + attention(x[:, None], x[:, None], x[:, None])[0][:, 0]))
