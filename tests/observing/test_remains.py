"""Scripts that raise before their first step: what there is of their training, and the sentence where there is none."""

import textwrap
from pathlib import Path
from typing import Any

import pytest

from trainingdoctor import Training, UserError, diagnose
from trainingdoctor.errors import UserCodeError
from trainingdoctor.observing.remains import Remains, remains_of
from trainingdoctor.observing.script import Ran
from trainingdoctor.observing.seen import StepSeen
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.observing.unfinished import built, completed, not_reached
from trainingdoctor.settings import Settings

HEAD = "import torch\nfrom torch import nn\nfrom torch.utils.data import DataLoader, TensorDataset\n"
PARTS = """
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16, momentum=0.99), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
"""
DATA = "train_loader = DataLoader(TensorDataset(torch.randn(64, 8), torch.arange(64) % 2), 8)\n"


def indented(text: str) -> str:
    return textwrap.indent(text.lstrip("\n"), "    ")


def failed(tmp_path: Path, source: str) -> tuple[Path, BaseException, dict[str, Any]]:
    """Run a script that raises."""
    script = tmp_path / "train.py"
    script.write_text(HEAD + source)
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    with pytest.raises((Exception, SystemExit)) as raised:
        exec(compile(script.read_text(), str(script), "exec"), names)
    return script, raised.value, names


def remains(tmp_path: Path, source: str) -> Remains:
    _, error, names = failed(tmp_path, source)
    return remains_of(error, names)


def training(tmp_path: Path, source: str) -> Training:
    script, error, names = failed(tmp_path, source)
    return built(script, Ran(remains_of(error, names).names, UserCodeError("the script", error)))


def parts(found: Training) -> set[str]:
    return {name for name in ("model", "train_loader", "criterion", "optimizer") if getattr(found, name) is not None}


NO_DATA = "data = open('/not/there')\n"


@pytest.mark.parametrize(
    ("source", "expected", "lines"),
    [
        (PARTS + NO_DATA, {"model", "optimizer"}, ()),
        (NO_DATA + PARTS, {"model", "optimizer"}, (6, 7)),
        (DATA + "import not_there_at_all\n", {"train_loader"}, ()),
        ("def main():\n" + indented(PARTS + NO_DATA) + "main()\n", {"model", "optimizer"}, ()),
        ("def main():\n" + indented(NO_DATA + PARTS) + "main()\n", {"model", "optimizer"}, (7, 8)),
        ("import not_there_at_all\ndef main():\n" + indented(PARTS + DATA) + "main()\n",
         {"model", "optimizer", "train_loader"}, (6, 7, 8)),
        ("class Trainer:\n    def __init__(self):\n" + indented(indented(
            "self.criterion = nn.CrossEntropyLoss()\n" + NO_DATA + PARTS.replace("model", "self.model", 1).lstrip())) + "Trainer()\n",
         {"model", "criterion"}, (8,)),
        (NO_DATA + "class Words(nn.Linear):\n    pass\nwords = Words(8, 3)\nsgd = torch.optim.SGD(words.parameters(), 0.1)\n",
         {"model", "optimizer"}, (7, 8)),
        ("kind = 'b'\n" + NO_DATA + "if kind == 'a':\n    model = nn.Linear(8, 3)\nelse:\n    model = nn.Linear(8, 4)\n", {"model"}, (6,)),
        ("if True:\n    try:\n        data = open('/not/there')\n    finally:\n        done = 1\n    net = nn.Linear(8, 3)\n", {"model"}, (9,)),
        ("model = 'resnet'\ndef main(model):\n    net = nn.Linear(8, 3)\n    1 / 0\nmain(model)\n", {"model"}, ()),
    ],
)  # fmt: skip
def test_what_was_built_and_what_the_next_lines_build_is_there(
    tmp_path: Path, source: str, expected: set[str], lines: tuple[int, ...]
) -> None:
    assert parts(training(tmp_path, source)) == expected
    assert remains(tmp_path, source).built == tuple(f"train.py:{line}" for line in lines)


def test_nothing_else_behind_the_line_is_run(tmp_path: Path) -> None:
    source = NO_DATA + "torch.save({}, 'written.pt')\nepochs = 1 / 0\nloss = nn.MSELoss()(missing)\nmodel = missing()\n"
    found = remains(tmp_path, source)
    assert found.built == ()
    assert not {"model", "epochs", "loss"} & set(found.names)


def test_a_branch_is_taken_as_the_script_would(tmp_path: Path) -> None:
    source = (
        "kind = 'b'\n" + NO_DATA + "if kind == 'a':\n    model = nn.Linear(8, 3)\nelse:\n    model = nn.Linear(8, 4)\n"
    )
    assert training(tmp_path, source).model.out_features == 4  # type: ignore[union-attr]


def test_the_failure_comes_first_and_the_model_is_examined(tmp_path: Path) -> None:
    script, error, names = failed(tmp_path, PARTS + NO_DATA)
    raised = UserCodeError("the script", error, "train.py:6")
    found = built(script, Ran(remains_of(error, names).names, raised))
    report = diagnose(found, failures=(raised,), settings=Settings(select=("training", "batchnorm.momentum")))
    assert report.root_causes[:2] == ("training.raises", "batchnorm.momentum")


def test_what_a_loop_had_not_used_yet_is_filled_in(tmp_path: Path) -> None:
    script, error, names = failed(tmp_path, PARTS + DATA + "criterion = nn.NLLLoss()\n" + NO_DATA)
    other = object()
    ran = Ran(names, UserCodeError("the script", error))
    whole = completed(Training(model=names["model"], train_loader=[other]), script, ran)
    assert (whole.optimizer, whole.criterion) == (names["optimizer"], names["criterion"])
    assert whole.train_loader == [other]
    assert completed(Training(model=names["model"]), script, Ran(names)).optimizer is None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (NO_DATA, "train.py raised FileNotFoundError"),
        ("import os\nos.environ['LOCAL_RANK']\n" + PARTS, "torchrun --nproc-per-node 1 -m trainingdoctor diagnose train.py"),
        (
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--data', required=True)\np.parse_args([])\n" + PARTS,
            "the following arguments are required: --data; give its arguments after --",
        ),
        (
            "import argparse\nargparse.ArgumentParser().parse_args(['--quick'])\n" + PARTS,
            "unrecognized arguments: --quick; all that stands after -- is the script's, and options of trainingdoctor go before",
        ),
    ],
)  # fmt: skip
def test_where_running_it_otherwise_helps_that_is_said(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        training(tmp_path, source)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "import not_there_at_all",
            "(train.py:4); install it, or run trainingdoctor in the environment of your training",
        ),
        (
            "import pytest.not_there_at_all",
            f"(train.py:4); the pytest {pytest.__version__} that is installed has none: install the version that it was",
        ),
        (
            "raise ValueError('Weights only load failed. \\x1b[1mdo this\\x1b[0m')",
            r"failed. do this (train.py:4); torch.load(..., weights_only=False) reads all that a file holds",
        ),
        ("open('/not/there')", "; relative paths count from the folder where trainingdoctor is started"),
        (
            "raise RuntimeError('Error downloading a.gz:\\nTried: b')",
            "Error downloading a.gz (train.py:4); it wants to download this",
        ),
        (
            "import urllib.error as e; raise e.URLError('x')",
            "; it wants to download this: put it where the script looks for it",
        ),
        ("raise RuntimeError('four')", "raised RuntimeError: four (train.py:4)"),
    ],
)
def test_what_stands_around_a_training_is_told_what_to_do_about(source: str, said: str, tmp_path: Path) -> None:
    script, error, _ = failed(tmp_path, source)
    with pytest.raises(UserError) as told:
        built(script, Ran({}, UserCodeError("the script", error, "train.py:4")))
    assert said in str(told.value)


def test_a_scheduler_may_come_after_the_line_that_raised() -> None:
    script, raised = Path("train.py"), Ran({}, UserCodeError("the script", ValueError("four"), "train.py:4"))
    assert "may build a scheduler later" in str(not_reached(Training(), {}, script, raised)["schedule_trace"])
    stepped = {"loop_trace": LoopTrace(steps=(StepSeen(0, 1, 1, None, True, 0.1),))}
    assert not_reached(Training(), stepped, script, raised) == {}
    assert not_reached(Training(), {}, script, Ran({})) == {}
