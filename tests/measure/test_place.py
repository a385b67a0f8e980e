"""--device: a training is moved for the block only."""

import re
from collections.abc import Callable

import pytest
import torch

from trainingdoctor import Training, UserError
from trainingdoctor.measure.place import _tensors, placed


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("gpu", "--device gpu: torch knows no such device; use cpu, cuda, cuda:1, mps, ..."),
        ("meta", "--device meta: it holds no numbers to measure; use --device cpu or leave it out"),
        ("cuda:99", "--device cuda:99: not usable here ("),
    ],
)
def test_a_device_that_cannot_be_used_is_one_sentence(
    device: str, said: str, training: Callable[..., Training]
) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(said)}") as told, placed(training(), device):
        pass
    assert "\n" not in str(told.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no second device here")
def test_every_tensor_comes_back_to_where_it_was(training: Callable[..., Training]) -> None:
    examined = training()
    model, optimizer = examined.model, examined.optimizer
    assert model is not None
    for inputs, targets in examined.train_loader:
        torch.nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    momenta = [s["momentum_buffer"].clone() for s in optimizer.state.values()]
    with placed(examined, "cuda"):
        assert {t.device.type for t in (*model.parameters(), *model.buffers())} == {"cuda"}
        assert all(s["momentum_buffer"].is_cuda for s in optimizer.state.values())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(torch.equal(a, s["momentum_buffer"]) for a, s in zip(momenta, optimizer.state.values(), strict=True))


def test_what_is_moved_is_the_model_the_criterion_and_the_optimizers_state(training: Callable[..., Training]) -> None:
    examined = training(criterion=torch.nn.CrossEntropyLoss(weight=torch.ones(4)))
    model = examined.model
    assert model is not None
    optimizer = torch.optim.Adam(model.parameters())
    inputs, targets = next(iter(examined.train_loader))
    examined.criterion(model(inputs), targets).backward()
    optimizer.step()
    for optimizers in (optimizer, [optimizer]):
        moved = {id(t) for t in _tensors(Training(model=model, criterion=examined.criterion, optimizer=optimizers))}
        states = [s for held in optimizer.state.values() for s in held.items()]
        assert moved >= {id(t) for t in (*model.parameters(), *model.buffers(), examined.criterion.weight)}
        # Adam counts its steps on the CPU.
        assert moved.isdisjoint({id(t) for name, t in states if name == "step"})
        assert moved >= {id(t) for name, t in states if name != "step"}
