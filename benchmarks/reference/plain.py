"""The loop that a user would write: DataLoader with workers, transforms of torchvision, batches of 128."""

from __future__ import annotations

import time
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from trainingdoctor.reference.augmentation import MEAN, STD
from trainingdoctor.reference.data import Images
from trainingdoctor.reference.resnet import resnet110


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """As torchvision's CIFAR10 gives them: an image of PIL, transformed."""

    def __init__(self, images: Images) -> None:
        self.pixels = images.train_x.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = images.train_y.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[index])), self.labels[index]


def plain_loop(
    images: Images, device: str, *, amp: bool, workers: int = 8, warm: int = 20, steps: int = 100
) -> dict[str, Any]:
    """Seconds of an epoch, from `steps` steps after `warm` ones that start the workers and load the kernels."""
    loader = DataLoader(Pictures(images), 128, shuffle=True, num_workers=workers, pin_memory=True)
    model, criterion = resnet110().to(device), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    started = 0.0
    for step, (x, y) in enumerate(loader):
        if step == warm:
            torch.cuda.synchronize()
            started = time.perf_counter()
        if step == warm + steps:
            break
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=amp):
            loss = criterion(model(x.to(device, non_blocking=True)), y.to(device, non_blocking=True))
        loss.backward()
        optimizer.step()
    torch.cuda.synchronize()
    epoch = (time.perf_counter() - started) / steps * len(loader)
    precision = "bfloat16" if amp else "float32"
    return {"precision": precision, "workers": workers, "batch_size": 128, "steps": steps, "epoch": round(epoch, 2)}
