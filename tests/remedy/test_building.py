"""Which call of the user's built what: seen while the code runs, whatever way it is written."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from trainingdoctor.loading.config import in_folder_of, load_config
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.older import verbose_taken
from trainingdoctor.observing.places import Place
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.remedy import NotFixable, Provenance
from trainingdoctor.remedy.building import watched_building
from trainingdoctor.training import Training

CONFIG = """\
import torch
from torch import nn
from parts import conv, Numbers

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = conv(3)
        self.head = nn.Linear(3, 2)

model = Net()
for m in model.modules():
    if isinstance(m, nn.BatchNorm2d): m.momentum = 0.99
model.body[1].eval()
nn.init.zeros_(model.head.weight)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.SequentialLR(
    optimizer,
    [torch.optim.lr_scheduler.ConstantLR(optimizer), torch.optim.lr_scheduler.StepLR(optimizer, 3)], [1])
train_loader = torch.utils.data.DataLoader(Numbers(4))
"""
PARTS = """\
import torch
from torch import nn

def conv(width):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width))

class Numbers(torch.utils.data.Dataset):
    def __init__(self, count):
        self.count = count
    def __len__(self):
        return self.count
    def __getitem__(self, index):
        return torch.tensor([float(index)])
"""


@pytest.fixture(name="seen")
def seen_(tmp_path: Path) -> tuple[Any, Provenance]:
    for name, text in (("built_config.py", CONFIG), ("parts.py", PARTS)):
        (tmp_path / name).write_text(text)
    file = tmp_path / "built_config.py"
    sys.modules.pop("parts", None)
    with in_folder_of(file), watched_building() as building:
        training = load_config(file)
    sys.path.remove(str(tmp_path))
    return training, Provenance(building, file)


def source(place: Place) -> str:
    """What stands at a place."""
    lines = place.file.read_text().splitlines()
    first, last = lines[place.line - 1], lines[place.end_line - 1]
    return first[place.column : place.end_column] if place.line == place.end_line else first[place.column :] + last


def test_calls_are_found_in_the_file_they_stand_in(seen: tuple[Training, Provenance]) -> None:
    training, provenance = seen
    model: Any = training.model
    found = {
        "model": (model, "Net()"),
        "layer": (model.body[1], "nn.BatchNorm2d(width)"),
        "optimizer": (training.optimizer, "torch.optim.SGD(model.parameters(), lr=0.1)"),
        "loader": (training.train_loader, "torch.utils.data.DataLoader(Numbers(4))"),
    }
    for name, (value, text) in found.items():
        assert source(provenance.call(value, name).place) == text
    assert source(provenance.call(training.scheduler, "scheduler").place).startswith("torch.optim.lr_scheduler.Sequen")


def test_a_data_set_of_the_users_own_is_seen_too(seen: tuple[Training, Provenance]) -> None:
    training, provenance = seen
    call = provenance.call(training.train_loader.dataset, "data set")  # type: ignore[union-attr]
    assert source(call.place) == "Numbers(4)"
    assert call.parameters == ("count",)


def test_the_calls_around_are_known_from_the_inside_out(seen: tuple[Training, Provenance]) -> None:
    training, provenance = seen
    calls = provenance.built(training.model.body[0], "layer").calls[:3]  # type: ignore[union-attr, index]
    assert [source(c.place) for c in calls] == ["nn.Conv2d(3, width, 3)", "conv(3)", "Net()"]
    assert calls[1].parameters == ("width",)


def test_what_was_set_from_outside_is_seen(seen: tuple[Training, Provenance]) -> None:
    training, provenance = seen
    layer: Any = training.model.body[1]  # type: ignore[union-attr, index]
    places = {name: provenance.attribute(layer, name) for name in ("momentum", "training", "eps")}
    assert places["momentum"] is not None
    assert source(places["momentum"]) == "m.momentum"
    assert places["training"] is not None
    assert source(places["training"]) == "model.body[1].eval()"
    assert places["eps"] is None


def test_initializers_are_seen(seen: tuple[Training, Provenance]) -> None:
    training, provenance = seen
    head: Any = training.model.head  # type: ignore[union-attr]
    name, place = provenance.initializer(head.weight) or ("", None)
    assert name == "zeros_"
    assert place is not None
    assert source(place) == "nn.init.zeros_(model.head.weight)"
    assert provenance.initializer(head.bias) is None


def test_what_a_library_builds_is_not_the_users_to_change() -> None:
    with watched_building() as building:
        layer = nn.TransformerEncoderLayer(8, 2)
    provenance = Provenance(building, Path(__file__))
    assert provenance.call(layer, "layer").place.file == Path(__file__)
    with pytest.raises(NotFixable, match="library"):
        provenance.call(layer.linear1, "linear1")


def test_what_watches_the_loop_of_a_script_is_no_library() -> None:
    with watched_building() as building, ExitStack() as stack, observed(Recorder()):
        verbose_taken(stack, [])
        optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=3)
    provenance = Provenance(building, Path(__file__))
    assert source(provenance.call(optimizer, "optimizer").place).startswith("torch.optim.SGD(")
    assert source(provenance.call(scheduler, "scheduler").place).endswith("CosineAnnealingLR(optimizer, T_max=3)")


def test_what_was_built_before_is_not_known() -> None:
    layer = nn.Linear(1, 1)
    with watched_building() as building:
        pass
    with pytest.raises(NotFixable, match="not seen"):
        Provenance(building, Path(__file__)).built(layer, "the layer")


def test_torch_is_as_it_was_afterwards() -> None:
    before = (nn.Module.__init__, nn.Module.train, nn.Module.__setattr__, nn.init.zeros_, DataLoader.__init__)
    with watched_building():
        pass
    assert before == (nn.Module.__init__, nn.Module.train, nn.Module.__setattr__, nn.init.zeros_, DataLoader.__init__)
    assert "__init_subclass__" not in vars(Dataset)
    assert torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1).defaults["lr"] == 0.1


def test_training_goes_on_as_without() -> None:
    with watched_building():
        torch.manual_seed(0)
        watched = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
    assert torch.equal(watched[0].weight, plain[0].weight)
    assert watched.eval().training is False


def test_without_columns_nothing_is_known_and_nothing_breaks(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text(
        "from torch import nn\nfrom trainingdoctor.remedy.building import watched_building\n"
        "with watched_building() as b:\n    layer = nn.Linear(1, 1)\nprint(b.of(layer).calls)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "no_debug_ranges", str(script)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "()"


HELPERS = """\
from torch import nn

def block(width, momentum=0.1):
    return nn.BatchNorm2d(width, momentum=momentum)

def net(norm_momentum):
    return nn.Sequential(block(4, norm_momentum))
"""


def setting_of(tmp_path: Path, config: str) -> tuple[str, str, str]:
    """(class of the edit, the file, the name) for the momentum of the only layer."""
    (tmp_path / "helpers.py").write_text(HELPERS)
    file = tmp_path / "handed_config.py"
    file.write_text(config)
    sys.modules.pop("helpers", None)
    with in_folder_of(file), watched_building() as building:
        training = load_config(file)
    sys.path.remove(str(tmp_path))
    (layer,) = [m for m in training.model.modules() if isinstance(m, nn.BatchNorm2d)]  # type: ignore[union-attr]
    edit: Any = Provenance(building, file).setting(layer, "the layer", "momentum", "0.1")
    return type(edit).__name__, edit.place.file.name, edit.name


def test_a_value_that_callers_hand_on_is_changed_at_the_outermost_of_them(tmp_path: Path) -> None:
    config = "from helpers import net\nmodel = net(norm_momentum=0.99)\n"
    assert setting_of(tmp_path, config) == ("SetArgument", "handed_config.py", "norm_momentum")


def test_a_value_by_default_is_changed_in_the_default(tmp_path: Path) -> None:
    config = "from helpers import block\nfrom torch import nn\nmodel = nn.Sequential(block(4))\n"
    assert setting_of(tmp_path, config) == ("SetDefault", "helpers.py", "momentum")


OPTIONS = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--momentum', default=0.9)\nWIDE = 0.99\nCONFIG = {'m': 0.98}\n"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("options.WIDE", "0.99"),
        ("WIDE", "0.99"),
        ("args.momentum", "0.9"),
        ("options.CONFIG['m']", "0.98"),
        ("config.get('m')", "0.98"),
    ],
)
def test_a_value_of_another_file_is_changed_there(given: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "options.py").write_text(OPTIONS)
    sys.modules.pop("options", None)
    config = "import options\nfrom options import WIDE\nfrom torch import nn\nargs = options.parser.parse_args([])\n"
    config += "config = options.CONFIG\n"
    file = tmp_path / "elsewhere_config.py"
    file.write_text(config + f"model = nn.Sequential(nn.BatchNorm2d(4, momentum={given}))\n")
    with in_folder_of(file), watched_building() as building:
        layer: Any = load_config(file).model[0]  # type: ignore[index]
    sys.path.remove(str(tmp_path))
    edit: Any = Provenance(building, file).setting(layer, "the layer", "momentum", "0.1")
    assert (edit.place.file.name, source(edit.place), edit.text) == ("options.py", text, "0.1")


def test_what_a_loader_is_called_is_known_where_it_was_made_before(tmp_path: Path) -> None:
    file = tmp_path / "named_config.py"
    file.write_text(
        "from torch import nn, optim\nfrom torch.utils.data import DataLoader\n"
        "model = nn.Linear(1, 1)\nloader = train_loader = DataLoader([1, 2])\n"
        "def made():\n    return DataLoader([3])\nval_loader = made()\n"
        "optimizer = optim.SGD(model.parameters(), lr=0.1)\n"
    )
    with in_folder_of(file), watched_building() as building:
        training = load_config(file)
    sys.path.remove(str(tmp_path))
    provenance = Provenance(building, file)
    place = provenance.call(training.optimizer, "the optimizer").place
    assert provenance.name_at(training.train_loader, "train_loader", place) == "loader"
    assert provenance.text_at(provenance.call(training.train_loader, "train_loader"), place) == "DataLoader([1, 2])"
    assert provenance.text_at(provenance.call(training.val_loader, "val_loader"), place) is None
    with pytest.raises(NotFixable):
        provenance.name_at(training.val_loader, "val_loader", place)
