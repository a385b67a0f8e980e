"""What flow reads off one forward pass of small real models."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trainingdoctor import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.flow import Flow, flow

IMAGES = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
VECTORS = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))


def flow_of(model: nn.Module, inputs: Any) -> Flow:
    torch.manual_seed(0)
    return flow(model, (Batch(inputs, None),))


class Residual(nn.Module):
    """Three residual blocks of two convolutions, or a plain net of six."""

    def __init__(self, skip: bool, dense: bool = False) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        widths = [8 * (i + 1) for i in range(3)] if dense else [8] * 3
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(w, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
            for w in widths
        )
        self.skip, self.dense = skip, dense
        self.head = nn.Linear(32 if dense else 8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for block in self.blocks:
            y = block(x)
            x = torch.cat([x, y], 1) if self.dense else x + y if self.skip else y
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize(("skip", "dense", "unavoidable"), [(False, False, 7), (True, False, 1), (False, True, 1)])
def test_paths_round_convolutions(skip: bool, dense: bool, unavoidable: int) -> None:
    found = flow_of(Residual(skip, dense), IMAGES)
    assert len(found.layers) == 8
    assert len(found.unavoidable) == unavoidable


def test_layers_in_order_with_their_sizes() -> None:
    found = flow_of(Residual(skip=False), IMAGES)
    assert [w.name for w in found.layers][:3] == ["stem", "blocks.0.0", "blocks.0.2"]
    stem, head = found.layers[0], found.layers[-1]
    assert (stem.kind, stem.inputs, stem.outputs, stem.numbers, stem.kernel) == ("conv", 3, 8, 8 * 8 * 8, 9)
    assert (head.kind, head.inputs, head.outputs, head.numbers) == ("linear", 8, 4, 4)
    assert found.bends == {"Relu": 6}


def test_a_pair_without_activation_is_seen_and_one_with_a_second_use_is_not() -> None:
    assert [w.after for w in flow_of(nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 4)), VECTORS).layers] == [None, "0"]

    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.a(x)
            return self.c(y * self.b(y).sigmoid())

    assert [w.after for w in flow_of(Gate(), VECTORS).layers] == [None, None, None]


def test_an_affine_model_deviates_by_rounding_and_another_does_not() -> None:
    affine = flow_of(nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 4)), VECTORS)
    assert affine.bends == {}
    assert affine.deviation is not None
    assert affine.deviation < 1e-5
    bent = flow_of(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)), VECTORS)
    assert bent.deviation is not None
    assert bent.deviation > 0.05


def test_a_branch_that_starts_at_zero_is_not_taken_for_nothing() -> None:
    class ReZero(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 4)
            self.alpha = nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x + self.alpha * self.b(F.relu(self.a(x))))

    assert (flow_of(ReZero(), VECTORS).deviation or 0) > 1e-3


def test_hidden_sigmoids_count_and_gates_do_not() -> None:
    hidden = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 4))
    assert [(s.kind, s.into) for s in flow_of(hidden, IMAGES).squashed] == [("sigmoid", "4")]

    class Squeeze(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.gate, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            return self.head((x * self.gate(x.mean((2, 3))).sigmoid()[:, :, None, None]).mean((2, 3)))

    assert flow_of(Squeeze(), IMAGES).squashed == ()


def test_a_saturated_tanh_is_flat_and_attention_is_no_hidden_softmax() -> None:
    loud = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 4))
    nn.init.normal_(loud[0].weight, std=100.0)
    assert flow_of(loud, VECTORS).squashed[0].flat > 0.9
    attention = nn.TransformerEncoderLayer(6, 2, 12, batch_first=True)
    assert flow_of(attention, VECTORS.reshape(2, 4, 6)).squashed == ()


def test_a_recurrent_tanh_is_repeated() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.RNN(6, 8, batch_first=True), nn.Linear(8, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.rnn(x)[0][:, -1])

    found = flow_of(Recurrent(), VECTORS.reshape(2, 4, 6))
    assert all(s.repeated for s in found.squashed if s.into == "rnn")


@pytest.mark.parametrize(
    ("tail", "kinds"),
    [
        ([nn.ReLU()], ("Relu",)),
        ([nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()], ("Relu", "Mean")),
        ([nn.Flatten()], ()),
    ],
)
def test_steps_after_the_last_layer(tail: list[nn.Module], kinds: tuple[str, ...]) -> None:
    assert flow_of(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), *tail), IMAGES).tail == kinds


def test_a_bias_before_batchnorm_is_seen_and_one_before_relu_is_not() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, bias=False))
    model.append(nn.BatchNorm2d(4)).append(nn.Conv2d(4, 2, 3)).append(nn.ReLU()).append(nn.BatchNorm2d(2))
    assert [w.biased_before_norm for w in flow_of(model, IMAGES).layers] == [True, False, False]


def test_token_numbers_start_at_the_embedding() -> None:
    class Text(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.hidden, self.head = nn.Embedding(10, 6), nn.Linear(6, 8), nn.Linear(8, 2)

        def forward(self, input_ids: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"logits": self.head(F.gelu(self.hidden(self.table(input_ids).mean(1))))}

    found = flow_of(Text(), {"input_ids": torch.randint(0, 10, (8, 5))})
    assert [w.name for w in found.layers] == ["hidden", "head"]
    assert found.deviation is None


def test_frozen_and_parametrized_layers_keep_their_names() -> None:
    model = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 4))
    model[2].requires_grad_(False)
    assert [w.name for w in flow_of(model, VECTORS).layers] == ["0", "2"]


def test_input_changed_in_place_is_no_obstacle() -> None:
    class Shifts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x.sub_(1))

    assert len(flow_of(Shifts(), VECTORS.clone()).layers) == 1


def test_a_model_cut_from_its_input_is_unavailable() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x.detach())

    with pytest.raises(Unavailable):
        flow_of(Cut(), VECTORS)


def test_path_counts_are_exact_in_deep_nets() -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(80))
            self.head = nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                x = x + torch.tanh(layer(x)) / math.sqrt(80)
            return self.head(x)

    assert [w.name for w in flow_of(Deep(), VECTORS).layers if w.always] == ["head"]
