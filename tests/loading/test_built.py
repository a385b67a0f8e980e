"""Where the parts of a training are built in a source."""

from pathlib import Path

import pytest

from trainingdoctor.loading.built import built_line

SOURCE = """\
LR = 0.1
augment = Compose(
    [Flip()],
)
train_set, test_set = cifar10("data", transform=augment)
trainloader = DataLoader(
    train_set,
    batch_size=64,
)
val_loader = DataLoader(dataset=CIFAR10("data", train=False), batch_size=256)
net = resnet110()
net = net.cuda()
opt = SGD(
    net.parameters(),
    momentum=0.9,
    lr=LR,
)
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("model", 11),
        ("layer1.0.bn1", 11),
        ("optimizer", 13),
        ("optimizer.param_groups[0].momentum", 15),
        ("optimizer.param_groups[0].lr", 1),
        ("optimizer.param_groups[0].weight_decay", 13),
        ("scheduler", 13),
        ("train_loader.sampler", 6),
        ("train_loader.batch_size", 8),
        ("train_loader.dataset", 5),
        ("train_loader.dataset.transform", 2),
        ("val_loader.dataset", 10),
        ("criterion", None),
    ],
)
def test_a_place_is_where_it_is_built(place: str, line: int | None, tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text(SOURCE)
    assert built_line(tmp_path / "config.py", place) == line


def test_what_functions_build_comes_after_the_module_level(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(
        "def build():\n    model = Net()\n    loss_fn: Module = Loss()\n    return model\n\nmodel = build()\n"
    )
    assert (built_line(file, "model"), built_line(file, "criterion")) == (6, 3)


@pytest.mark.parametrize("text", ["def (", '{"cells": []}', ""])
def test_what_is_no_python_tells_no_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(text)
    assert built_line(tmp_path / "odd.py", "model") is None
    assert built_line(tmp_path / "gone.py", "model") is None
