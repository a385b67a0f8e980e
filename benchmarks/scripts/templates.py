"""One training of CIFAR-10 as a script in five styles, beside four other scripts. Lines that faults replace are named: `{zero_grad}` and so on."""

from __future__ import annotations

from collections.abc import Iterator

from templates_others import LINES, OTHERS

HEAD = """\
import argparse
import copy
import os
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import transforms as T

sys.path.insert(0, os.environ["EXAMPLES"])
from cifar import cifar10

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--epochs", type=int, default=60)
args = parser.parse_args()

normalize = T.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
augment = T.Compose([T.RandomCrop(32, padding=4), T.RandomHorizontalFlip(), T.ToTensor(), normalize])
plain = T.Compose([T.ToTensor(), normalize])
train_set, test_set = cifar10(augment, plain)
{data}
train_loader = DataLoader({train_data}, batch_size={batch_size}, shuffle=True)
test_loader = DataLoader({test_data}, batch_size=200)


def conv(i, o, stride=1):
    return nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(conv(3, 16), conv(16, 32, 2), conv(32, 64, 2), conv(64, 64))
        self.head = nn.Linear(64, 10)
        {layers}

    def forward(self, x):
        {features}
        return {output}


def make_optimizer(net):
    return {optimizer}


def make_scheduler(optimizer):
    return {scheduler}

"""

# What each style does with a batch.
BODY = """\
{zero_grad}
output = net(x)
{loss}
{backward}
{clip}
{step}
{after_step}
{keep}
"""

FUNCTIONS = (
    HEAD
    + """
def train(net, loader, criterion, optimizer, scheduler, device):
    {train_mode}
    total, history = 0.0, []
    {before_epoch}
    for i, (x, y) in enumerate({train_on}):
        x, y = x.to(device), y.to(device)
        {body}
    return total / len(loader)


{no_grad}
def test(net, loader, device):
    {eval_mode}
    correct = 0
    for x, y in {test_on}:
        output = net(x.to(device))
        {count}
    return float(correct) / len(loader.dataset)


def main():
    device = torch.device("cuda")
    net = Net().to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = make_optimizer(net)
    scheduler = make_scheduler(optimizer)
    {built}
    best = 0.0
    for epoch in range(args.epochs):
        {epoch_start}
        loss = train(net, train_loader, criterion, optimizer, scheduler, device)
        accuracy = test(net, test_loader, device)
        {epoch_end}
        print(f"epoch {epoch}: loss {loss:.3f}, accuracy {accuracy:.3f}")
        if accuracy > best:
            best = accuracy
            torch.save(net.state_dict(), "best.pt")


if __name__ == "__main__":
    main()
"""
)

TRAINER = (
    HEAD
    + """
class Trainer:
    def __init__(self, net, epochs):
        self.net, self.epochs = net.cuda(), epochs
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = make_optimizer(net)
        self.scheduler = make_scheduler(self.optimizer)

    def fit(self):
        net = self.net
        for self.epoch in range(self.epochs):
            optimizer, scheduler = self.optimizer, self.scheduler
            {epoch_start}
            self.optimizer = optimizer
            self.run_epoch(train_loader)
            self.validate(test_loader)
            {epoch_end}

    def run_epoch(self, loader):
        net, optimizer, scheduler, criterion = self.net, self.optimizer, self.scheduler, self.criterion
        {train_mode}
        total, history = 0.0, []
        {before_epoch}
        for i, batch in enumerate({train_on}):
            x, y = (t.cuda(non_blocking=True) for t in batch)
            {body}

    {no_grad}
    def validate(self, loader):
        net = self.net
        {eval_mode}
        correct = 0
        for x, y in {test_on}:
            output = net(x.cuda())
            {count}
        print(f"[{self.epoch}] test acc: {100.0 * correct / len(loader.dataset):.2f}%")


if __name__ == "__main__":
    Trainer(Net(), args.epochs).fit()
"""
)

MODULE = (
    HEAD
    + """
device = "cuda"
net = Net()
net.cuda()
criterion = nn.CrossEntropyLoss().to(device)
optimizer = make_optimizer(net)
scheduler = make_scheduler(optimizer)
loader = train_loader
os.makedirs("runs", exist_ok=True)

for epoch in range(args.epochs):
    {epoch_start}
    {train_mode}
    total, history = 0.0, []
    {before_epoch}
    for i, (x, y) in enumerate({train_on}):
        x = x.to(device)
        y = y.to(device)
        {body}
    {eval_mode}
    correct = 0
    with {no_grad_block}:
        for x, y in {test_on}:
            output = net(x.to(device))
            {count}
    {epoch_end}
    print("epoch", epoch, "Accuracy:", float(correct) / len(test_set))
    with open("runs/log.txt", "a") as log:
        log.write(f"{epoch}\\n")
"""
)

PHASES = (
    HEAD
    + """
device = torch.device("cuda")
loaders = {"train": train_loader, "val": test_loader}
net = Net().to(device)
criterion = nn.CrossEntropyLoss()
optimizer = make_optimizer(net)
scheduler = make_scheduler(optimizer)

for epoch in range(args.epochs):
    for phase in ["train", "val"]:
        net.train() if phase == "train" else net.eval()
        total, correct, history = 0.0, 0, []
        for i, (x, y) in enumerate(loaders[phase]):
            x, y = x.to(device), y.to(device)
            {zero_grad}
            with torch.set_grad_enabled(phase == "train"):
                output = net(x)
                {loss}
                if phase == "train":
                    {backward}
                    {clip}
                    {step}
                    {after_step}
            {after_batch}
            {keep}
            {count}
        {after_phase}
        print(f"{phase} loss: {total / len(loaders[phase]):.4f} acc: {correct / len(loaders[phase].dataset):.4f}")
    {epoch_end}
"""
)

FORKED = FUNCTIONS.replace(
    "    main()\n",
    """\
    child = os.fork()
    if child == 0:
        try:
            main()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
""",
)

STYLES = {"functions": FUNCTIONS, "trainer": TRAINER, "module": MODULE, "phases": PHASES, "forked": FORKED, **OTHERS}

HEALTHY = {
    **LINES,
    "data": "",
    "train_data": "train_set",
    "test_data": "test_set",
    "batch_size": "64",
    "optimizer": "torch.optim.SGD(net.parameters(), args.lr, momentum=0.9, weight_decay=5e-4)",
    "scheduler": "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)",
    "train_mode": "net.train()",
    "eval_mode": "net.eval()",
    "no_grad": "@torch.no_grad()",
    "no_grad_block": "torch.no_grad()",
    "before_epoch": "",
    "train_on": "loader",
    "test_on": "test_loader",
    "zero_grad": "optimizer.zero_grad()",
    "loss": "loss = criterion(output, y)",
    "backward": "loss.backward()",
    "clip": "",
    "step": "optimizer.step()",
    "after_step": "",
    "keep": "total += loss.item()",
    "count": "correct += (output.argmax(1) == y.to(output.device)).sum().item()",
    "epoch_start": "",
    "epoch_end": "scheduler.step()",
    "layers": "",
    "features": "x = self.features(x).mean((2, 3))",
    "output": "self.head(F.dropout(x, 0.1, self.training))",
    "built": "",
    "after_batch": "",
    "after_phase": "",
}


def written(style: str, changes: dict[str, str]) -> str:
    """The script's source; a replacement of several lines is indented as its place is."""
    lines = {**HEALTHY, **changes}
    return "\n".join(_expanded(STYLES[style], {**lines, "body": "\n".join(_expanded(BODY, lines))})) + "\n"


def _expanded(text: str, lines: dict[str, str]) -> Iterator[str]:
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("{") and bare.endswith("}") and bare[1:-1] in lines:
            indent = line[: len(line) - len(line.lstrip())]
            yield from (indent + part for part in lines[bare[1:-1]].splitlines())
        else:
            yield _filled(line, lines)


def _filled(line: str, lines: dict[str, str]) -> str:
    for name, value in lines.items():
        line = line.replace("{" + name + "}", value)
    return line
