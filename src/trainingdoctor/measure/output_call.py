"""What the model's prediction comes out of last: a function, and the line and the module that called it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.hooks import attached
from trainingdoctor.measure.prediction import prediction
from trainingdoctor.observing.places import Place, place_of, users_frame

# Functions that squash, which a loss may not want before it.
SQUASHING = ("softmax", "log_softmax", "sigmoid", "relu", "tanh", "relu_", "sigmoid_", "tanh_")


@dataclass(frozen=True)
class OutputCall:
    """name: of the function.  place: the innermost expression of the user's that was under way.  module: whose output it is."""

    name: str
    place: Place | None
    module: nn.Module | None = field(repr=False, default=None)


@evidence(cost="probe")
def output_call(model: nn.Module, train_batches: tuple[Batch, ...]) -> OutputCall:
    """Follow one forward pass. Raises Unavailable where the prediction does not come out of a function that squashes."""
    set_mode(model, False)
    # With the outputs themselves, so that no identity is used twice.
    last: dict[int, tuple[nn.Module, Tensor]] = {}

    def after(module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            last.setdefault(id(output), (module, output))

    hooks = (m.register_forward_hook(after) for m in model.modules() if m is not model)
    with attached(hooks), torch.no_grad(), _Squashed() as seen:
        output = prediction(forward(model, train_batches[0].first(2)))
    found = seen.calls.get(id(output))
    if found is None:
        raise Unavailable("the prediction does not come out of a softmax, sigmoid, tanh or ReLU")
    return OutputCall(found[0], found[1], last.get(id(output), (None,))[0])


class _Squashed(TorchFunctionMode):
    """Remembers what made each squashed tensor; the tensors are kept, so that no identity is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[int, tuple[str, Place | None, Tensor]] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in SQUASHING and isinstance(result, Tensor):
            frame = users_frame()
            self.calls[id(result)] = (name, None if frame is None else place_of(frame), result)
        return result
