"""`trainingdoctor.observe()` around a loop in this process."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules import module as modules
from torch.utils.data import DataLoader, TensorDataset

import trainingdoctor
from trainingdoctor.observing.inside import OnFinding, UnwellWarning
from trainingdoctor.settings import Settings

QUICK = Settings(quick=True, select=("loop", "loss", "schedule", "training"))


def trained(
    on_finding: OnFinding = None, clears: bool = True, closure: bool = False, around: Callable[..., Any] | None = None
) -> tuple[Any, nn.Module]:
    torch.manual_seed(0)
    x = torch.randn(600, 20)
    y = x[:, :5].argmax(1)
    train, test = DataLoader(TensorDataset(x[:500], y[:500]), 50, shuffle=True), DataLoader(TensorDataset(x, y), 50)
    model = nn.Sequential(nn.Linear(20, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 5))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=1e-3)
    scheduler, criterion = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5), nn.CrossEntropyLoss()
    with (around or trainingdoctor.observe)(on_finding=on_finding, settings=QUICK, steps=60) as doctor:
        for _ in range(5):
            model.train()
            for inputs, targets in train:

                def step(a: torch.Tensor = inputs, b: torch.Tensor = targets) -> torch.Tensor:
                    if clears:
                        optimizer.zero_grad()
                    loss: torch.Tensor = criterion(model(a), b)
                    loss.backward()  # type: ignore[no-untyped-call]
                    return loss

                if closure:
                    optimizer.step(step)
                else:
                    step()
                    optimizer.step()
            model.eval()
            with torch.no_grad():
                for inputs, _ in test:
                    model(inputs)
            scheduler.step()
    return doctor, model


@pytest.mark.parametrize("closure", [False, True])
def test_a_healthy_loop_is_silent(closure: bool) -> None:
    doctor, _ = trained(closure=closure)
    assert doctor.report.root_causes == ()
    assert doctor.report.training["epochs"] == 5


def test_a_sick_loop_is_named_after_the_block() -> None:
    doctor, _ = trained(clears=False)
    assert doctor.report.root_causes == ("loop.zero_grad_missing",)


def test_a_diagnosis_in_between_changes_nothing() -> None:
    class Nothing:
        def __init__(self, **_: object) -> None: ...
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    _, bare = trained(around=Nothing)
    called: list[trainingdoctor.Report] = []
    _, seen = trained(called.append, clears=True)
    assert not called
    with pytest.warns(UnwellWarning, match=r"loop\.zero_grad_missing"):
        _, sick = trained("warn", clears=False)
    _, bare_sick = trained(around=Nothing, clears=False)
    for one, other in ((bare, seen), (bare_sick, sick)):
        assert all(
            torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        )


def test_a_sick_loop_is_stopped() -> None:
    with pytest.raises(trainingdoctor.TrainingUnwell, match=r"loop\.zero_grad_missing") as raised:
        trained("stop", clears=False)
    assert raised.value.report.root_causes == ("loop.zero_grad_missing",)
    assert not modules._global_forward_hooks


def test_wrong_use_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="on_finding"):
        trainingdoctor.observe(on_finding="shout")  # type: ignore[arg-type]
    with pytest.raises(trainingdoctor.UserError, match="nothing was seen"), trainingdoctor.observe():
        pass


def test_what_the_loop_raises_goes_through_and_no_hook_stays() -> None:
    with pytest.raises(KeyError), trainingdoctor.observe():
        raise KeyError
    assert not modules._global_forward_hooks
