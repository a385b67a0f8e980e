"""Muon for the reference run's convolutions."""

import torch

from trainingdoctor.reference.muon import Muon, muon, orthogonal
from trainingdoctor.reference.resnet import CifarResNet


def test_the_rows_of_an_update_are_nearly_orthogonal() -> None:
    torch.manual_seed(0)
    singular = torch.linalg.svdvals(orthogonal(torch.randn(3, 16, 144)))
    # Jordan et al. 2024: the five iterations bring all to between 0.7 and 1.2; bfloat16 adds a little.
    assert float(singular.min()) > 0.6
    assert float(singular.max()) < 1.3


def test_kernels_keep_their_norm_and_all_parameters_move() -> None:
    torch.manual_seed(0)
    model = CifarResNet(8)
    optimizer = muon(model, rate=0.05, of_others=0.1, momentum=0.9, weight_decay=5e-4)
    before = [p.detach().clone() for p in model.parameters()]
    losses = []
    x, y = torch.randn(16, 3, 32, 32), torch.arange(16) % 10
    for _ in range(6):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    norm = float(model.conv1.weight.detach().norm())
    assert abs(norm - 4.0) < 0.5


def test_a_rate_may_be_a_tensor_and_frozen_parameters_stay() -> None:
    kept, moved = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(3))
    optimizer = Muon([{"params": [kept, moved]}], lr=0.1, momentum=0.9)
    moved.grad = torch.ones(3)
    optimizer.param_groups[0]["lr"] = torch.tensor(0.5)
    optimizer.step()
    assert torch.equal(kept.detach(), torch.ones(3))
    # Nesterov's first step: the gradient and 0.9 of it.
    assert torch.allclose(moved.detach(), torch.full((3,), 1 - 0.5 * 1.9))
