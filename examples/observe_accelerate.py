"""A loop of Hugging Face Accelerate, diagnosed from inside: no adapter is needed, the block sees what torch does.

python examples/observe_accelerate.py
"""

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import trainingdoctor


def train(epochs: int = 8, settings=None) -> trainingdoctor.Report:
    """Train a small net on generated numbers; the report on its training."""
    torch.manual_seed(0)
    x = torch.randn(1200, 20)
    y = x[:, :5].argmax(1)
    train_loader = DataLoader(TensorDataset(x[:1000], y[:1000]), 50, shuffle=True)
    val_loader = DataLoader(TensorDataset(x[1000:], y[1000:]), 50)
    model = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(train_loader))
    criterion = nn.CrossEntropyLoss()
    accelerator = Accelerator(cpu=True)
    model, optimizer, train_loader, val_loader, scheduler = accelerator.prepare(
        model, optimizer, train_loader, val_loader, scheduler
    )
    with trainingdoctor.observe(settings=settings) as doctor:
        for _ in range(epochs):
            model.train()
            for inputs, targets in train_loader:
                optimizer.zero_grad()
                accelerator.backward(criterion(model(inputs), targets))
                optimizer.step()
                scheduler.step()
            model.eval()
            with torch.no_grad():
                right = sum((model(inputs).argmax(1) == targets).sum().item() for inputs, targets in val_loader)
            print(f"test accuracy {100 * right / 200:.1f} %")
    return doctor.report


if __name__ == "__main__":
    report = train()
    print(report.verdict.value, *report.root_causes)
    for finding in report.findings:
        print(f"{finding.severity.value}: {finding.message} -> {finding.remedy}")
