"""Fixes of a loop: the source as it is after each, and the sentence where there can be none."""

import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn
from torch.optim import SGD, RMSprop

from trainingdoctor import warning
from trainingdoctor.loading.config import in_folder_of, load_config
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.remedy import NotFixable, Provenance
from trainingdoctor.remedy.arguments import Edit
from trainingdoctor.remedy.building import Building, watched_building
from trainingdoctor.remedy.source import Source
from trainingdoctor_checks.fixes import loop, schedule
from trainingdoctor_checks.fixes.optimizer import decouple, hold_all, set_number

SCRIPT = """\
net.train()
for x, y in train_loader:
    loss = criterion(net(x), y)
    loss.backward()
    clip_grad_norm_(net.parameters(), 1)
    scaler.step(optimizer)
    scaler.update()
    opt.step()
total = 0
for x, y in test_loader:
    loss = criterion(net(x), y)
    total += loss
"""


@pytest.fixture
def provenance(tmp_path: Path) -> Provenance:
    (tmp_path / "train.py").write_text(SCRIPT)
    return Provenance(Building(), tmp_path / "train.py", is_script=True)


def added(edits: Iterable[Edit], provenance: Provenance) -> set[str]:
    """The lines that come in."""
    source = Source(provenance.file, SCRIPT)
    for edit in edits:
        edit.apply(source)
    return set(source.written().splitlines()) - set(SCRIPT.splitlines())


@pytest.mark.parametrize(
    ("fix", "line", "remedy", "lines"),
    [
        (loop.clear, 6, "", {"    optimizer.zero_grad()"}),
        (loop.clear, 8, "", {"    opt.zero_grad()"}),
        (loop.divided, 4, "(loss / 4).backward()", {"    (loss / 4).backward()"}),
        (loop.unscale, 5, "", {"    scaler.unscale_(optimizer)"}),
        (loop.into_evaluation, 10, "", {"net.eval()"}),
        (loop.without_gradients, 10, "", {"import torch", "", "with torch.no_grad():", "    for x, y in test_loader:", "        loss = criterion(net(x), y)", "        total += loss"}),
        (loop.numbers_only, 10, "", {"    total += loss.item()"}),
    ],
)  # fmt: skip
def test_the_loop_is_mended_at_its_line(
    fix: Any, line: int, remedy: str, lines: set[str], provenance: Provenance
) -> None:
    finding = warning("x", remedy, where=f"train.py:{line}")
    assert added(fix.function(finding=finding, provenance=provenance), provenance) == lines


@pytest.mark.parametrize("where", [(), ("optimizer",), ("gone.py:3",)])
def test_without_a_line_the_reason_is_told(where: tuple[str, ...], provenance: Provenance) -> None:
    for fix in (loop.clear, loop.into_evaluation, loop.unscale):
        with pytest.raises(NotFixable, match=r"no line was seen|there are 0 files gone\.py"):
            list(fix.function(finding=warning("x", "y", where=where), provenance=provenance))


def test_what_an_optimizer_does_not_allow_is_told(provenance: Provenance) -> None:
    net = nn.Linear(2, 2)
    prop = RMSprop(net.parameters(), lr=0.1, weight_decay=0.1)
    with pytest.raises(NotFixable, match="only Adam has a twin"):
        list(decouple.function(finding=warning("x", "y"), optimizer=prop, provenance=provenance))
    groups = SGD([{"params": [net.weight], "momentum": 0.5}, {"params": [net.bias]}], lr=0.1)
    finding = warning("x", "momentum=0.9", where="optimizer.param_groups[0].momentum")
    with pytest.raises(NotFixable, match="the parameter groups have momentums of their own"):
        list(set_number.function(finding=finding, optimizer=groups, provenance=provenance))
    with pytest.raises(NotFixable, match="where the optimizer is built was not seen"):
        list(hold_all.function(optimizer=prop, model=net, provenance=provenance))


def test_a_scheduler_that_was_not_seen_being_built_is_left_alone(provenance: Provenance) -> None:
    trace: Any = LoopTrace
    with pytest.raises(NotFixable, match="where the scheduler is built was not seen"):
        list(loop.step_scheduler.function(scheduler=object(), loop_trace=trace, provenance=provenance))


MAIN = """\
from torch import nn, optim

def main():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = optim.SGD(net[1].parameters(), lr=0.1)
    return net, optimizer

model, optimizer = main()
"""


def loaded(folder: Path, text: str) -> tuple[Any, Provenance]:
    """A training, and who built its parts."""
    file = folder / "loaded_config.py"
    file.write_text(text)
    with in_folder_of(file), watched_building() as building:
        training = load_config(file)
    sys.path.remove(str(folder))
    return training, Provenance(building, file, is_script=True)


def applied(edits: Iterable[Edit], provenance: Provenance) -> str:
    source = Source(provenance.file, provenance.file.read_text())
    for edit in edits:
        edit.apply(source)
    return source.written()


def test_a_model_that_the_same_function_builds_before_is_not_late(tmp_path: Path) -> None:
    training, provenance = loaded(tmp_path, MAIN)
    edits = hold_all.function(optimizer=training.optimizer, model=training.model, provenance=provenance)
    assert applied(edits, provenance) == MAIN.replace("net[1].parameters()", "net.parameters()")


STEPPED = """\
from torch import nn, optim
from torch.utils.data import DataLoader

epochs = 9
train_loader = DataLoader(range(30))
model = nn.Linear(1, 1)
optimizer = optim.SGD(model.parameters(), lr=0.1)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
for epoch in range(epochs):
    model.train()
"""


def test_a_schedule_that_a_loop_steps_after_each_batch_counts_batches(tmp_path: Path) -> None:
    training, provenance = loaded(tmp_path, STEPPED)
    edits = schedule.count_steps.function(
        scheduler=training.scheduler,
        train_loader=training.train_loader,
        schedule_trace=SimpleNamespace(steps_per_epoch=30),
        provenance=provenance,
    )
    assert applied(edits, provenance) == STEPPED.replace("optimizer, epochs)", "optimizer, epochs * len(train_loader))")


def test_a_schedule_that_a_script_lacks_is_stepped_by_its_loop(tmp_path: Path) -> None:
    text = "".join(line for line in STEPPED.splitlines(keepends=True) if not line.startswith("scheduler"))
    training, provenance = loaded(tmp_path, text)
    edits = schedule.add_cosine.function(
        optimizer=training.optimizer,
        schedule_trace=SimpleNamespace(epochs=9),
        loop_trace=SimpleNamespace(epoch_loop="loaded_config.py:8"),
        provenance=provenance,
    )
    expected = STEPPED.replace("optimizer, epochs)", "optimizer, T_max=epochs)") + "    scheduler.step()\n"
    assert applied(edits, provenance) == expected


@pytest.mark.parametrize("made", [True, False])
def test_a_scheduler_that_a_function_makes_is_stepped_by_the_name_that_its_caller_gives_it(
    tmp_path: Path, made: bool
) -> None:
    text = STEPPED
    if made:
        function = "def make():\n    return optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)\n\n"
        text = text.replace("optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)", "make()")
        text = text.replace("epochs = 9", f"{function}epochs = 9")
    training, provenance = loaded(tmp_path, text)
    line = text[: text.index("for epoch")].count("\n") + 1
    edits = loop.step_scheduler.function(
        scheduler=training.scheduler,
        loop_trace=SimpleNamespace(epoch_loop=f"loaded_config.py:{line}"),
        provenance=provenance,
    )
    assert applied(edits, provenance) == text + "    scheduler.step()\n"
