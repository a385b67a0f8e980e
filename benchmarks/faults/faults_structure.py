"""Faults of how a model is put together. They come last, so that those before them keep their bases."""

from __future__ import annotations

from fault import Fault, fault, model_step, replaced
from faults_model import SEEN, Around
from torch import Tensor, nn


def one_block(model: nn.Module) -> None:
    """In each stage, the second block is all that follow: [block] * n."""
    for stage in [m for m in model.modules() if isinstance(m, nn.Sequential) and len(m) >= 3]:
        for i in range(2, len(stage)):
            if type(stage[i]) is type(stage[1]):
                stage[i] = stage[1]


class Unknown(nn.Module):
    """Layers in a plain list."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = [layers]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[0](x)


def last_stage_unknown(model: nn.Module) -> None:
    """The last stage of blocks is in a plain list."""
    stage = [m for m in model.modules() if isinstance(m, nn.Sequential) and len(m) >= 2][-1]
    replaced(model, nn.Sequential, lambda m: Unknown(m) if m is stage else m)


class OverBatch(Around):
    """Scores that add up to 1 over the samples of a batch."""

    def done(self, body: nn.Module, x: Tensor) -> Tensor:
        return body(x).softmax(0)


class Reweighted(Around):
    """A little of the image is weighted against the other samples'."""

    def done(self, body: nn.Module, x: Tensor) -> Tensor:
        weight = x.mean((1, 2, 3)).softmax(0)
        return body(x * (1 + 0.05 * weight[:, None, None, None]))


# Aligned in one line each, as a table is read.
FAULTS: tuple[Fault, ...] = (
    fault("one block several times", "model.repeated_layer", model_step(one_block), "residual bn", consequences=("batchnorm.shared", *SEEN)),
    fault("layers in a plain list", "model.unregistered", model_step(last_stage_unknown), "residual bn", consequences=("model.*", "batchnorm.*", *SEEN)),
    fault("softmax over the batch", "model.softmax_over_batch", model_step(OverBatch), consequences=("model.*", *SEEN)),
    fault("attention over the batch", "model.softmax_over_batch", model_step(Reweighted), consequences=("model.*",)),
)  # fmt: skip
