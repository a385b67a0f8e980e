"""Loading my_config.py."""

from pathlib import Path

import pytest

from trainingdoctor import UserError
from trainingdoctor.loading import load_config

HEAD = "import torch\nfrom torch import nn\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "my_config.py"
    file.write_text(text)
    return file


def test_names_and_synonyms_are_understood(tmp_path: Path) -> None:
    training = load_config(
        write(
            tmp_path,
            HEAD
            + "net = nn.Linear(2, 2)\nloss_fn = nn.MSELoss()\nopt = torch.optim.SGD(net.parameters(), lr=0.1)\nnum_epochs = 7\n",
        )
    )
    assert type(training.model).__name__ == "Linear"
    assert type(training.criterion).__name__ == "MSELoss"
    assert training.optimizer.param_groups[0]["lr"] == 0.1
    assert training.epochs == 7


def test_an_object_under_an_unknown_name_counts_when_it_is_the_only_one(tmp_path: Path) -> None:
    training = load_config(
        write(tmp_path, HEAD + "thing = nn.Linear(2, 2)\nstepper = torch.optim.Adam(thing.parameters())\n")
    )
    assert type(training.optimizer).__name__ == "Adam"


def test_relative_files_and_imports_work(tmp_path: Path) -> None:
    (tmp_path / "mynet_for_test.py").write_text(HEAD + "def make():\n    return nn.Linear(3, 3)\n")
    (tmp_path / "width.txt").write_text("3")
    training = load_config(
        write(tmp_path, "from mynet_for_test import make\nwidth = int(open('width.txt').read())\nmodel = make()\n")
    )
    assert training.model is not None


def test_a_function_may_return_the_training(tmp_path: Path) -> None:
    text = (
        HEAD
        + "import trainingdoctor\ndef training():\n    return trainingdoctor.Training(model=nn.Linear(1, 1), epochs=3)\n"
    )
    training = load_config(write(tmp_path, text))
    assert training.epochs == 3
    assert training.name == "my_config.py"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\n", "has no `model`"),
        ("raise RuntimeError('disk is gone')\n", "RuntimeError: disk is gone (my_config.py:1)"),
        ("import sys\nsys.exit(0)\n", "ends the process"),
        ("def f(:\n", "SyntaxError"),
        ("import a_module_that_is_not_there\n", "install it"),
        (HEAD + "model = nn.Linear(1, 1)\ncriterion = nn.CrossEntropyLoss\n", "criterion must be a callable"),
        (HEAD + "model = nn.Linear\n", "model must be a torch.nn.Module, not the class Linear"),
        (HEAD + "a = nn.Linear(1, 1)\nb = nn.Linear(1, 1)\n", "several modules (a, b)"),
        ("def training():\n    return 3\n", "return a trainingdoctor.Training"),
        ("while True:\n    pass\n", "did not end within"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=r".") as error:
        load_config(write(tmp_path, text), time_limit=1.0 if "while" in text else 60.0)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there"):
        load_config(tmp_path / "nothing.py")
