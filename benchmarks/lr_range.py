"""What a share of the range test's edge is worth: short trainings at multiples of the edge that `lr_range_test` finds.

python benchmarks/lr_range.py [--steps 600] [--output benchmarks/results/lr-range.json]

Six small nets on 20,000 images of CIFAR-10, batches of 128, cosine decay to zero, one seed each; the loss is that of
2,000 test images at the end. `LrCurve.suggested` comes from this table.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision import transforms as T

from trainingdoctor import lr_range_test

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
from cifar import cifar10

SHARES = (0.1, 0.2, 1 / 3, 0.5, 1.0, 2.0)
NORMALIZE = T.Compose([T.ToTensor(), T.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))])


def conv(inputs: int, outputs: int, norm: bool) -> list[nn.Module]:
    layer: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, 2, 1)]
    return [*layer, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU()]


def cnn(norm: bool = False) -> nn.Module:
    widths = ((3, 16), (16, 32), (32, 64))
    return nn.Sequential(*(m for a, b in widths for m in conv(a, b, norm)), nn.Flatten(), nn.Linear(1024, 10))


def mlp() -> nn.Module:
    hidden = [nn.Linear(3072, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(256, 10))


def sgd(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)


def adamw(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)


TRAININGS: dict[str, tuple[Callable[[], nn.Module], Callable[..., Any]]] = {
    "CNN, SGD": (cnn, sgd),
    "CNN with BatchNorm, SGD": (lambda: cnn(True), sgd),
    "MLP, SGD": (mlp, sgd),
    "CNN, AdamW": (cnn, adamw),
    "CNN with BatchNorm, AdamW": (lambda: cnn(True), adamw),
    "MLP, AdamW": (mlp, adamw),
}


def drawn(data: Dataset, count: int) -> TensorDataset:
    """The first samples as tensors."""
    pairs = [data[i] for i in range(count)]
    return TensorDataset(torch.stack([x for x, _ in pairs]), torch.tensor([y for _, y in pairs]))


def trained(model: nn.Module, optimizer: Any, data: Dataset, steps: int) -> bool:
    """Train in place; False after a divergence."""
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loader = DataLoader(data, 128, shuffle=True, drop_last=True)
    model.train()
    for _, (x, y) in zip(range(steps), (batch for _ in iter(int, 1) for batch in loader), strict=False):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        if not math.isfinite(loss.item()):
            return False
    return True


@torch.no_grad()
def score(model: nn.Module, data: TensorDataset) -> tuple[float, float]:
    """Loss and accuracy in per cent."""
    model.eval()
    x, y = data.tensors
    output = torch.cat([model(part) for part in x.split(500)])
    return float(nn.functional.cross_entropy(output, y)), 100 * float((output.argmax(1) == y).float().mean())


def measured(name: str, train: TensorDataset, test: TensorDataset, steps: int) -> dict[str, Any]:
    """The edge, and the end of a training at each share of it."""
    build, optimize = TRAININGS[name]
    torch.manual_seed(0)
    model = build()
    loader = DataLoader(train, 128, shuffle=True)
    curve = lr_range_test(model, loader, nn.CrossEntropyLoss(), optimize(model, 1e-3))
    row: dict[str, Any] = {"stable": curve.stable, "edges": curve.edges, "shares": {}}
    print(f"{name}: stable {curve.stable[0]:.2g} to {curve.stable[1]:.2g}", flush=True)
    for share in SHARES:
        torch.manual_seed(1)
        model = build()
        went = trained(model, optimize(model, share * curve.stable[1]), train, steps)
        loss, accuracy = score(model, test) if went else (None, None)
        row["shares"][f"{share:.2g}"] = {"loss": loss, "accuracy": accuracy}
        print(f"  {share:.2g} of the edge: " + (f"{loss:.3f}  {accuracy:.1f} %" if went else "diverged"), flush=True)
    return row


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "lr-range.json")
    arguments = parser.parse_args()
    train, test = cifar10(NORMALIZE, NORMALIZE)
    sets = drawn(train, 20_000), drawn(test, 2_000)
    rows = {name: measured(name, *sets, arguments.steps) for name in TRAININGS}
    arguments.output.write_text(json.dumps({"steps": arguments.steps, "trainings": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
