"""Muon for the convolutions, SGD for the rest: an option of the reference run.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks" (kellerjordan.github.io/posts/muon): the momentum of
each kernel, as a matrix (C out, C in * 9), is replaced by the nearest matrix with orthogonal rows. Kernels of one shape go together.
"""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

# Of the quintic iteration; ibid.: they trade exactness for a steep slope at zero.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """One step of all groups; those with `orthogonal` take Muon, the others SGD with Nesterov momentum.

    lr: may be a tensor, so that a CUDA graph can read it.  share: of lr, for a group.  weight_decay: of the others; kernels under
    BatchNorm have no use for one, and keep their norm, sqrt(C out), here.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float) -> None:
        super().__init__(
            groups, {"lr": lr, "momentum": momentum, "weight_decay": 0.0, "orthogonal": False, "share": 1.0}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """closure: not called."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            updates = self._updates(parameters, group["momentum"], group["weight_decay"])
            rate = group["lr"] * group["share"]
            if group["orthogonal"]:
                _turn(parameters, updates, rate)
            elif parameters:
                torch._foreach_mul_(updates, rate)
                torch._foreach_sub_(parameters, updates)
        return None

    def _updates(self, parameters: list[Tensor], momentum: float, decay: float) -> list[Tensor]:
        """Nesterov's: the gradient and the momentum it will have had."""
        if not parameters:
            return []
        gradients = [p.grad for p in parameters if p.grad is not None]
        if decay:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=decay))
        for p in parameters:
            if not self.state[p]:
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        buffers = [self.state[p]["momentum_buffer"] for p in parameters]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, gradients)
        return list(torch._foreach_add(gradients, buffers, alpha=momentum))


def orthogonal(matrices: Tensor) -> Tensor:
    """(N, rows, columns), rows <= columns: each one's rows made nearly orthogonal, of norm about 1 (0.7 to 1.2)."""
    a, b, c = COEFFICIENTS
    x: Tensor = matrices.to(torch.bfloat16)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.to(torch.float32)


def _turn(parameters: list[Tensor], updates: list[Tensor], rate: float | Tensor) -> None:
    def shape(pair: tuple[Tensor, Tensor]) -> tuple[int, ...]:
        return tuple(pair[0].shape)

    for (rows, *_), pairs in groupby(sorted(zip(parameters, updates, strict=True), key=shape), key=shape):
        these, update = zip(*pairs, strict=True)
        weight = torch.stack(these).flatten(2)
        weight *= rows**0.5 / weight.norm(dim=(1, 2), keepdim=True)
        weight -= rate * orthogonal(torch.stack(update).flatten(2))
        torch._foreach_copy_(list(these), [w.view_as(p) for w, p in zip(weight.unbind(0), these, strict=True)])


def muon(model: nn.Module, *, rate: float, of_others: float, momentum: float, weight_decay: float) -> Muon:
    """For a model of convolutions and BatchNorm. rate: of the kernels, in turns of their own norm.  of_others: SGD's."""
    kernels = [p for p in model.parameters() if p.ndim == 4]
    matrices, vectors = [p for p in model.parameters() if p.ndim == 2], [p for p in model.parameters() if p.ndim == 1]
    groups: list[dict[str, Any]] = [
        {"params": kernels, "orthogonal": True, "share": rate / of_others},
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors},
    ]
    return Muon(groups, of_others, momentum)
