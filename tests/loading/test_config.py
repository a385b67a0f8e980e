"""Loading my_config.py."""

import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from trainingdoctor import UserError
from trainingdoctor.loading.config import load_config

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
        ("def f(:\n", "is not valid Python: invalid syntax (my_config.py:1)"),
        (
            "print 'old'\n",
            "my_config.py is written for Python 2: Missing parentheses in call to 'print' (my_config.py:1: ",
        ),
        ("x = {}.iteritems()\n", "this is Python 2: convert it to Python 3"),
        ("x = '\x00'\n", "is not valid Python: source code string cannot contain null bytes"),
        ("if __name__ == '__main__':\n    model = 1\n", 'what stands under `if __name__ == "__main__":` is not run'),
        ("mdoel = 1\n", "Did you mean 'mdoel'?"),
        ("from .nothing import x\n", "attempted relative import"),
        ("def training():\n    raise SystemExit(4)\n", "training() of my_config.py ends the process (sys.exit(4))"),
        (
            "def training():\n    1 / 0\n",
            "training() of my_config.py raised ZeroDivisionError: division by zero (my_config.py:2)",
        ),
        ("def training():\n    while True:\n        pass\n", "training() of my_config.py did not end within"),
        (
            "import trainingdoctor\ndef training():\n    return trainingdoctor.Training(epochs='5')\n",
            "epochs must be a number above 0, not str '5'",
        ),
        (HEAD + "model = nn.Linear(1, 1)\nepochs = float('nan')\n", "epochs must be a number"),
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
    with pytest.raises(UserError, match="is a folder"):
        load_config(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match="is not a Python file"):
        load_config(tmp_path / "notes.txt")


def test_a_transform_is_no_model(tmp_path: Path) -> None:
    text = "from torchvision import transforms\nnormalize = transforms.Normalize((0.5,), (0.5,))\n"
    with pytest.raises(UserError, match="has no `model`"):
        load_config(write(tmp_path, HEAD + text))
    assert type(load_config(write(tmp_path, HEAD + text + "resnet = nn.Linear(2, 2)\n")).model).__name__ == "Linear"


def test_names_that_only_look_like_fields_are_passed_over(tmp_path: Path) -> None:
    text = (
        HEAD + "class Model(nn.Module):\n    pass\nMODEL = 'resnet'\nLOSS = 'ce'\nnet = nn.Linear(2, 2)\nEPOCHS = 3\n"
    )
    training = load_config(write(tmp_path, text + "def training(model, loader):\n    pass\n"))
    assert type(training.model).__name__ == "Linear"
    assert training.criterion is None
    assert training.epochs == 3


LOADERS = (
    HEAD
    + "from torch.utils.data import DataLoader\nmodel = nn.Linear(2, 2)\na, b = DataLoader([1]), DataLoader([1, 2])\n"
)


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("dataloaders = {'train': a, 'val': b}\ndel a, b\n", (1, 2)),
        ("for_learning, holdout_set = a, b\ndel a, b\n", (1, 2)),
        ("", (None, None)),
    ],
)
def test_loaders_under_other_names(tmp_path: Path, text: str, lengths: tuple[int | None, int | None]) -> None:
    training = load_config(write(tmp_path, LOADERS + text))
    loaders: tuple[Any, Any] = training.train_loader, training.val_loader
    assert tuple(None if loader is None else len(loader) for loader in loaders) == lengths


def test_a_file_in_a_package_may_import_relatively(tmp_path: Path) -> None:
    package = tmp_path / "package_for_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "width.py").write_text("WIDTH = 3\n")
    training = load_config(write(package, HEAD + "from .width import WIDTH\nmodel = nn.Linear(WIDTH, 1)\n"))
    assert training.model is not None
    assert training.model.in_features == 3


def test_the_users_folder_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "helper_for_test.py").write_text("WIDTH = 3\n")
    file = write(tmp_path, HEAD + "from helper_for_test import WIDTH\nmodel = nn.Linear(WIDTH, 1)\n")
    before = Path.cwd(), sys.argv
    load_config(file)
    assert {p.name for p in tmp_path.iterdir()} == {"helper_for_test.py", "my_config.py"}
    assert (Path.cwd(), sys.argv) == before


def test_classes_of_the_config_can_be_found_by_worker_processes(tmp_path: Path) -> None:
    file = tmp_path / "config_with_classes.py"
    file.write_text(HEAD + "class Net(nn.Linear):\n    pass\nmodel = Net(2, 2)\n")
    training = load_config(file)
    assert type(pickle.loads(pickle.dumps(training.model))) is type(training.model)
    assert type(training.model).__module__ == "config_with_classes"
