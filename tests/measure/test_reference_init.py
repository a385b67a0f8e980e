"""The references that an initialization is compared with."""

from typing import Any

import torch
from torch import nn

from trainingdoctor import Finding
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.reference_init import ReferenceInit, reference_init
from trainingdoctor_checks.initialization import dead_relu

BATCH = Batch(torch.randn(16, 20, generator=torch.Generator().manual_seed(0)), torch.arange(16) % 4)


def compared(initialize: Any) -> ReferenceInit:
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Linear(20, 64), nn.ReLU()]
    for _ in range(9):
        layers += [nn.Linear(64, 64), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(64, 4))
    for module in model:
        if isinstance(module, nn.Linear):
            initialize(module)
    return reference_init(model, (BATCH,), nn.CrossEntropyLoss())


def kaiming(module: nn.Linear) -> None:
    nn.init.kaiming_normal_(module.weight)
    nn.init.zeros_(module.bias)


def test_kaiming_in_a_deep_plain_net_is_no_explosion() -> None:
    found = compared(kaiming)
    # Against the default alone the last layers would be tens of times too loud.
    default = {a.name: a.std for a in found.reference.activations}
    assert max(a.std / default[a.name] for a in found.own.activations if a.kind == "Linear") > 10
    assert max(found.scale_ratios().values()) < 2.5


def test_the_default_is_no_vanishing_either() -> None:
    assert min(compared(lambda m: m.reset_parameters()).scale_ratios().values()) > 0.4


def test_ten_times_the_weights_are_far_off() -> None:
    found = compared(lambda m: nn.init.normal_(m.weight))
    assert max(found.scale_ratios().values()) > 100


def test_small_embeddings_are_no_fault_of_the_layers_behind_them() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(30, 16), nn.Flatten(), nn.Linear(80, 32), nn.ReLU(), nn.Linear(32, 4))
    nn.init.normal_(model[0].weight, std=0.01)  # type: ignore[arg-type]
    batch = Batch(torch.randint(30, (16, 5)), torch.arange(16) % 4)
    assert min(reference_init(model, (batch,), nn.CrossEntropyLoss()).scale_ratios().values()) > 0.3


def test_a_pruned_net_is_compared_with_one_as_sparse() -> None:
    def pruned(module: nn.Linear) -> None:
        module.weight.data.mul_(torch.rand(module.weight.shape) < 0.1)

    found = compared(pruned)
    assert [f for f in dead_relu(found) if isinstance(f, Finding)] == []
    ratios = found.scale_ratios().values()
    assert min(ratios) > 0.3
    assert max(ratios) < 3.0


def test_dead_units_of_a_dense_net_are_found() -> None:
    def dead(module: nn.Linear) -> None:
        module.bias.data.fill_(-1.0)

    assert any(isinstance(f, Finding) for f in dead_relu(compared(dead)))
