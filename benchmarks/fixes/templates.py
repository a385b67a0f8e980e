"""One training of CIFAR-10 as a config in three styles. What faults replace is named: `{rate}` and so on."""

from __future__ import annotations

MODEL = """\
class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs{bn})
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs{bn})
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class Net(nn.Module):
    def __init__(self, num_classes={classes}):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16{bn}), nn.ReLU())
        self.stages = nn.Sequential(Block(16, 32, 1), Block(32, 64, 2), Block(64, 64, 1))
        self.dropout = nn.Dropout({dropout})
        self.fc = {fc}
        {init}

    def forward(self, x):
        x = self.stages(self.stem(x)).mean((2, 3))
        x = self.fc(self.dropout(x))
        return {head}
"""

PLAIN = (
    '''\
"""A small residual net on CIFAR-10."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import transforms

from cifar import cifar10

train_transform = transforms.Compose([
    {train_steps}
])
test_transform = transforms.Compose([
    {test_steps}
])
train_set, test_set = cifar10({train_transform}, {test_transform})
train_loader = DataLoader(train_set, {loader})  # the last batch may be smaller
val_loader = DataLoader(test_set, batch_size=256)


'''
    + MODEL
    + """

model = Net()
{after_model}
criterion = {criterion}
epochs = {epochs}  # passes over the training set
optimizer = torch.optim.{optimizer}
{after_optimizer}
{scheduler_line}
"""
)

FUNCTION = (
    """\
import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader
from torchvision import transforms

import trainingdoctor
from cifar import cifar10

LR = {rate}
EPOCHS = {epochs}


def build_transforms():
    train_transform = transforms.Compose(
        [
            {train_steps}
        ]
    )
    test_transform = transforms.Compose(
        [
            {test_steps}
        ]
    )
    return train_transform, test_transform


"""
    + MODEL
    + """

def training():
    train_transform, test_transform = build_transforms()
    train_set, test_set = cifar10({train_transform}, {test_transform})
    model = Net()
    {after_model}
    optimizer = optim.{optimizer_lr}
    {after_optimizer}
    {scheduler_line}
    return trainingdoctor.Training(
        model=model,
        train_loader=DataLoader(train_set, {loader}),
        val_loader=DataLoader(test_set, batch_size=256),
        criterion={criterion},
        optimizer=optimizer,{scheduler_field}
        epochs=EPOCHS,
    )
"""
)

FILES = """\
from types import SimpleNamespace

import torch
from torch import nn
from torch.utils.data import DataLoader

from net import Net
from pipeline import loaders

args = SimpleNamespace(lr={rate}, epochs={epochs})

trainloader, testloader = loaders()
net = Net()
{after_net}
criterion = {criterion}
optimizer = torch.optim.{optimizer_args}
{after_optimizer_net}
{scheduler_line_args}
num_epochs = args.epochs
"""
NET = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n" + MODEL
PIPELINE = """\
import torch
from torch.utils.data import DataLoader
import torchvision.transforms as transforms

from cifar import cifar10


def loaders():
    train_transform = transforms.Compose([{train_steps_in_line}])
    test_transform = transforms.Compose([{test_steps_in_line}])
    train_set, test_set = cifar10({train_transform}, {test_transform})
    return DataLoader(train_set, {loader}), DataLoader(test_set, batch_size=256)
"""

NORMALIZE = "transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))"
CROP, FLIP, TENSOR = (
    "transforms.RandomCrop(32, padding=4)",
    "transforms.RandomHorizontalFlip()",
    "transforms.ToTensor()",
)

HEALTHY: dict[str, object] = {
    "train_steps": (CROP, FLIP, TENSOR, NORMALIZE),
    "test_steps": (TENSOR, NORMALIZE),
    "train_transform": "train_transform",
    "test_transform": "test_transform",
    "loader": "batch_size=128, shuffle=True",
    "bn": "",
    "classes": "10",
    "dropout": "0.1",
    "fc": "nn.Linear(64, num_classes)",
    "init": "pass",
    "head": "x",
    "after_model": "",
    "criterion": "nn.CrossEntropyLoss()",
    "epochs": "60",
    "rate": "0.1",
    "optimizer": "SGD({parameters}, lr={rate}, momentum=0.9, weight_decay=5e-4)",
    "parameters": "model.parameters()",
    "after_optimizer": "",
    "scheduler": "CosineAnnealingLR(optimizer, T_max={epochs})",
}
STYLES = ("plain", "function", "files")


def files(style: str, changes: dict[str, object]) -> dict[str, str]:
    """The files of a config in a style with some slots changed; the first one is the config."""
    slots = {**HEALTHY, **changes}
    slots["optimizer"] = str(slots["optimizer"]).replace("{parameters}", str(slots["parameters"]))
    rate, epochs = str(slots["rate"]), str(slots["epochs"])
    scheduler = str(slots["scheduler"])
    texts = {
        "train_steps": ",\n{indent}".join(slots["train_steps"]) + ",",  # type: ignore[arg-type]
        "test_steps": ",\n{indent}".join(slots["test_steps"]) + ",",  # type: ignore[arg-type]
        "train_steps_in_line": ", ".join(slots["train_steps"]),  # type: ignore[arg-type]
        "test_steps_in_line": ", ".join(slots["test_steps"]),  # type: ignore[arg-type]
        "optimizer": str(slots["optimizer"]).replace("{rate}", rate),
        "optimizer_lr": str(slots["optimizer"]).replace("{rate}", "LR"),
        "optimizer_args": str(slots["optimizer"]).replace("{rate}", "args.lr").replace("model.", "net."),
        "after_net": str(slots["after_model"]).replace("model", "net"),
        "after_optimizer_net": str(slots["after_optimizer"]).replace("model", "net"),
        "scheduler_line": scheduler and f"scheduler = torch.optim.lr_scheduler.{scheduler}".replace("{epochs}", epochs),
        "scheduler_line_args": scheduler
        and f"scheduler = torch.optim.lr_scheduler.{scheduler}".replace("{epochs}", "args.epochs").replace(
            "model.", "net."
        ),
        "scheduler_field": "\n        scheduler=scheduler," if scheduler else "",
    }
    if style == "function":
        texts["scheduler_line"] = scheduler and f"scheduler = lr_scheduler.{scheduler}".replace("{epochs}", "EPOCHS")
    named = {"plain": {"config.py": PLAIN}, "function": {"config.py": FUNCTION}}
    chosen = named.get(style) or {"config.py": FILES, "net.py": NET, "pipeline.py": PIPELINE}
    return {name: _filled(template, {**slots, **texts}) for name, template in chosen.items()}


def _filled(template: str, slots: dict[str, object]) -> str:
    lines = []
    for line in template.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        filled = line
        for name, value in slots.items():
            text = str(value).replace("{indent}", indent).replace("\n", f"\n{indent}" if name in MULTILINE else "\n")
            filled = filled.replace("{" + name + "}", text)
        if filled.strip() or not line.strip():
            lines.append(filled)
    return "\n".join(lines) + "\n"


MULTILINE = ("after_model", "after_net", "after_optimizer", "after_optimizer_net", "init")
