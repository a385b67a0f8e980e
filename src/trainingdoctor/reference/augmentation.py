"""From uint8 images to what the net sees, on the device: normalization, random crops and flips."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

# Channel statistics of CIFAR-10's training set in 0..1.
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
# He et al. 2015, section 4.2: 4 pixels on each side.
PADDING = 4


@dataclass(frozen=True)
class Draws:
    """The random choices of N samples: which ones (N), their crop's row and column (2, N), mirrored or not (N)."""

    indices: Tensor
    shifts: Tensor
    flips: Tensor

    @classmethod
    def of_epoch(cls, order: Tensor, generator: torch.Generator) -> "Draws":
        """Those of one epoch, drawn on the CPU: the same numbers on every device."""
        count = len(order)
        shifts = torch.randint(0, 2 * PADDING + 1, (2, count), generator=generator)
        return cls(order, shifts, torch.rand(count, generator=generator) < 0.5)

    def alternating(self, mirrored: Tensor, epoch: int) -> "Draws":
        """Flips that alternate: each image mirrored in every second epoch, `mirrored` (all samples) telling which begin so.

        Jordan 2024, arXiv:2404.00498, section 3.6: two epochs in a row never show the same view.
        """
        return Draws(self.indices, self.shifts, mirrored[self.indices] ^ bool(epoch % 2))

    def __len__(self) -> int:
        return len(self.indices)

    def to(self, device: torch.device) -> "Draws":
        """All of it on `device`."""
        return Draws(self.indices.to(device), self.shifts.to(device), self.flips.to(device))

    def split(self, size: int) -> Iterator["Draws"]:
        """In pieces of `size`, the last one being shorter."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield Draws(self.indices[part], self.shifts[:, part], self.flips[part])

    def every(self, count: int, first: int) -> "Draws":
        """One in `count`, from number `first` on."""
        part = slice(first, None, count)
        return Draws(self.indices[part], self.shifts[:, part], self.flips[part])

    def clone(self) -> "Draws":
        """A copy in memory of its own."""
        return Draws(self.indices.clone(), self.shifts.clone(), self.flips.clone())

    def copy_(self, other: "Draws") -> None:
        """Take over the numbers of `other`, in place."""
        self.indices.copy_(other.indices)
        self.shifts.copy_(other.shifts)
        self.flips.copy_(other.flips)


@cache
def statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation, (1, 3, 1, 1). Kept on the device: a copy from the host cannot be part of a CUDA graph."""
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return mean, std


def normalized(images: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) to float32 with CIFAR-10's mean 0 and deviation 1, channels last."""
    mean, std = statistics(images.device)
    return ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def augmented(images: Tensor, draws: Draws) -> Tensor:
    """Random crops of the zero-padded images, and horizontal flips (He et al. 2015, section 4.2), on their device.

    images: float (N, C, H, W), already normalized; zero is then the mean colour, as in the paper's padding.
    """
    count, _, height, width = images.shape
    device = images.device
    padded = torch.nn.functional.pad(images, (PADDING,) * 4)
    rows = draws.shifts[0, :, None] + torch.arange(height, device=device)
    columns = torch.arange(width, device=device).expand(count, width)
    columns = draws.shifts[1, :, None] + torch.where(draws.flips[:, None], width - 1 - columns, columns)
    picked = padded[torch.arange(count, device=device)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
