"""Several processes under torchrun, watched: one report, and the faults that only they can have."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from trainingdoctor_warm import ranks

SCRIPT = """
import torch, torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler
dist.init_process_group("gloo")
torch.manual_seed(0)
x = torch.randn(1200, 8)
y = (x.sum(1) > 0).long()
sampler = DistributedSampler(TensorDataset(x[:1000], y[:1000]))
train_loader = DataLoader(TensorDataset(x[:1000], y[:1000]), BATCH, sampler=sampler)
test_loader = DataLoader(TensorDataset(x[1000:], y[1000:]), 50)
net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
ddp = DDP(net)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(ddp.parameters(), 0.05, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
for epoch in range(6):
    SET_EPOCH
    ddp.train()
    for a, b in train_loader:
        optimizer.zero_grad()
        loss = criterion(CALLED(a), b)
        loss.backward()
        optimizer.step()
    ddp.eval()
    with torch.no_grad():
        right = sum((net(a).argmax(1) == b).sum().item() for a, b in test_loader)
    scheduler.step()
dist.destroy_process_group()
"""


# What the command does, but what it starts is forked.
FORKED = """
import trainingdoctor_warm
from trainingdoctor.cli import main
from trainingdoctor.observing import launch
launch.subprocess = trainingdoctor_warm.Warm
main()
"""


def watched(folder: Path, torchrun: bool, **changes: str) -> tuple[int, dict[str, object]]:
    source = SCRIPT
    for name, value in {"SET_EPOCH": "sampler.set_epoch(epoch)", "CALLED": "ddp", "BATCH": "50", **changes}.items():
        source = source.replace(name, value)
    (folder / "train.py").write_text(source)
    select = [word for code in ("loop", "distributed", "training", "schedule") for word in ("--select", code)]
    doctor = ["diagnose", "train.py", "--quick", "--steps", "8", "--format", "json", *select]
    doctor += ["--output", "report.json", "--fail-on", "critical"]
    if torchrun:
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        command = [*launcher, "-m", "trainingdoctor", *doctor]
        done = [subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=110)]
    else:
        done = ranks([sys.executable, "-c", FORKED, *doctor], folder)
    assert (folder / "report.json").is_file(), [d.stderr for d in done]
    return max(d.returncode for d in done), json.loads((folder / "report.json").read_text())


@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="needs gloo")
@pytest.mark.parametrize(
    ("changes", "roots"),
    [
        ({}, []),
        ({"SET_EPOCH": "pass", "CALLED": "ddp.module"}, ["distributed.bypassed", "distributed.sampler_epoch"]),
    ],
)
def test_two_processes(tmp_path: Path, changes: dict[str, str], roots: list[str]) -> None:
    # One of them under torchrun itself.
    code, report = watched(tmp_path, not changes, **changes)
    assert report["root_causes"] == roots
    assert (code != 0) == bool(roots)
    training = report["training"]
    assert isinstance(training, dict)
    assert training["model"]["class"] == "Sequential"
