import inspect

import pytest
from torch import Tensor, nn

from trainingdoctor.observing.calls import Followed
from trainingdoctor.observing.chains import Chained


class Encoder(nn.Module):
    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return tokens * mask


@pytest.mark.parametrize(
    ("model", "name"),
    [(Followed(Encoder(), "softmax"), "Encoder"), (Chained((Encoder(), nn.Linear(2, 2))), "Encoder + Linear")],
    ids=("followed", "chained"),
)
def test_a_model_is_called_and_named_as_the_one_within(model: nn.Module, name: str) -> None:
    assert type(model).__name__ == name
    assert list(inspect.signature(model.forward).parameters) == ["tokens", "mask"]
