"""One training step of the reference run, launched kernel by kernel or as a CUDA graph."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainingdoctor.reference.augmentation import Draws, normalized
from trainingdoctor.reference.data import Images

Criterion = Callable[[Tensor, Tensor], Tensor]
Augment = Callable[[Tensor, Draws], Tensor]
# Of a step before it is captured: cuDNN and cuBLAS make their handles and workspaces in the first ones.
WARM_UP_STEPS = 3


@dataclass(eq=False)
class Step:
    """Forward and backward. Leaves the gradients in the parameters; gives the loss and the number of right answers, still on the device.

    micro_batch: samples that go through the model at once; the gradients of several add up.  scale: of the loss before
    backward(), for float16.
    """

    model: nn.Module
    images: Images
    criterion: Criterion
    augment: Augment
    autocast: Callable[[], torch.autocast]
    micro_batch: int
    scale: Callable[[Tensor], Tensor]

    def __call__(self, draws: Draws) -> tuple[Tensor, Tensor]:
        """Gradients of the mean loss over `draws`, accumulated over micro-batches."""
        self.model.zero_grad(set_to_none=True)
        device = draws.indices.device
        total, right = torch.zeros((), device=device), torch.zeros((), device=device)
        for part in draws.split(self.micro_batch):
            x = self.augment(normalized(self.images.train_x[part.indices]), part)
            y = self.images.train_y[part.indices]
            with self.autocast():
                logits = self.model(x)
                loss = self.criterion(logits, y) * (len(part) / len(draws))
            self.scale(loss).backward()
            total, right = total + loss.detach(), right + (logits.detach().argmax(1) == y).sum()
        return total, right


class GraphedStep:
    """A whole training step captured once as a CUDA graph and replayed: one launch in place of some 2,500 kernels.

    The graph reads its draws from, and writes its gradients to, memory that stays where it is: nobody may set `.grad` to None.
    """

    def __init__(
        self,
        act: Callable[[Draws], tuple[Tensor, Tensor]],
        draws: Draws,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        """Capture `act`. Raises RuntimeError where that is not possible or there is no memory for it.

        Weights, buffers and the optimizer's state end as they began, then, too; a state that there was not yet, as zeros.
        """
        self.size, self.draws = len(draws), draws.clone()
        weights = [(t, t.detach().clone()) for t in (*model.parameters(), *model.buffers())]
        before = {id(t): t.clone() for t in _state(optimizer)}
        try:
            self.graph, self.outcome = _captured(lambda: act(self.draws), model)
        finally:
            torch.cuda.synchronize()
            with torch.no_grad():
                for tensor, value in weights:
                    tensor.copy_(value)
                for tensor in _state(optimizer):
                    tensor.copy_(before.get(id(tensor), torch.zeros_like(tensor)))

    def __call__(self, draws: Draws) -> tuple[Tensor, Tensor]:
        """As `act`; the two results are overwritten by the next call. draws: as many as in the capture."""
        self.draws.copy_(draws)
        self.graph.replay()
        return self.outcome


def _captured(
    act: Callable[[], tuple[Tensor, Tensor]], model: nn.Module
) -> tuple[torch.cuda.CUDAGraph, tuple[Tensor, Tensor]]:
    # A stream of its own for each graph: two that share one would share cuBLAS's workspace when replayed side by side.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP_STEPS):
            act()
    torch.cuda.current_stream().wait_stream(side)
    # Gradients must be allocated inside of the capture.
    model.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=side):
        outcome = act()
    return graph, outcome


def _state(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [t for held in optimizer.state.values() for t in held.values() if isinstance(t, Tensor)]
