"""Running a script: what it imports."""

from pathlib import Path

import pytest
import torch

from trainingdoctor.errors import UserCodeError
from trainingdoctor.loading.names import unfinished_training
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.script import run_script

OLD_SCHEDULERS = """
import torch
from torch.optim import lr_scheduler as s

class Halved(s._LRScheduler):
    def __init__(self, optimizer, last_epoch=-1, verbose=False):
        super().__init__(optimizer, last_epoch, verbose)

    def get_lr(self):
        return [base / 2 for base in self.base_lrs]

def optimizer():
    return torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1)

s.ReduceLROnPlateau(optimizer(), factor=0.1, mode="max", verbose=True)
stepped, halved = optimizer(), optimizer()
scheduler = s.StepLR(stepped, 1, 0.25, -1, True)
Halved(halved)
stepped.step()
scheduler.step()
rates = [halved.param_groups[0]["lr"], stepped.param_groups[0]["lr"]]
"""


def test_modules_are_read_in_the_older_grammar(script: Path) -> None:
    script.write_text("import helper_of_old\n")
    (script.parent / "helper_of_old.py").write_text("def to(t):\n    return t.cuda(async=True)\n")
    ran = run_script(script, [], Recorder())
    assert ran.error is None
    assert ran.notes[0].startswith("in helper_of_old.py async= was read as non_blocking= (1 times)")


def test_other_mistakes_in_modules_stay(script: Path) -> None:
    script.write_text("import helper_mistaken\n")
    (script.parent / "helper_mistaken.py").write_text("x = (1 2\n")
    ran = run_script(script, [], Recorder())
    assert isinstance(ran.error, UserCodeError)
    assert "SyntaxError" in str(ran.error)


MODELS_OF_OLD = """
from torch import nn

class Block(nn.Linear):
    def __init__(self, n=4):
        super().__init__(n, n)

class Net(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.layers = nn.Sequential(*[Block() for _ in range(blocks)])

def net2():
    return Net(2)

def net3():
    return Net(3)
"""


@pytest.mark.parametrize(
    ("source", "said", "note"),
    [
        ("import models_of_old\nprint 'old'\nnet = models_of_old.net3()\n",
         "train.py is written for Python 2: Missing parentheses in call to 'print' (train.py:2: print 'old')",
         "built without running the script, as the script says: train.py:3"),
        ("import models_of_old\nname = 'net3'\nprint 'old'\n", "(train.py:3: print 'old')",
         "models_of_old.net3() was built by itself"),
        ("import helper_of_python2\nfrom models_of_old import *\nnet = net3()\n",
         "train.py imports helper_of_python2.py, which is written for Python 2: multiple exception types must be parenthesized "
         "(helper_of_python2.py:3: except E, e:)", "built after the line that raised, as the script says: train.py:3"),
        ("import not_there_at_all, models_of_old\nnet = models_of_old.net2(no)\n", "No module named 'not_there_at_all' (train.py:1)",
         None),
        ("import models_of_old\nimport not_there_at_all\nnet = models_of_old.__dict__[name]()\n", "(train.py:2)",
         "models_of_old.net2() was built by itself"),
    ],
)  # fmt: skip
def test_of_python2_the_model_is_left(script: Path, source: str, said: str, note: str | None) -> None:
    (script.parent / "models_of_old.py").write_text(MODELS_OF_OLD)
    (script.parent / "helper_of_python2.py").write_text("try:\n    x = 1\nexcept E, e:\n    pass\n")
    script.write_text(source)
    ran = run_script(script, [], Recorder())
    assert said in str(ran.error)
    assert [n.startswith(note or "") for n in ran.notes] == [True] * (note is not None)
    training = unfinished_training(ran.names, "train.py")
    assert (training is not None and training.model is not None) == (note is not None)
    if "net3" in source and training is not None:
        assert len(training.model.layers) == 3  # type: ignore[union-attr]


def test_a_model_alone_is_no_training(script: Path) -> None:
    script.write_text(
        "import torch\nclass Net(torch.nn.Linear):\n    def __init__(self, n):\n        super().__init__(n, n)\n"
        "def train():\n    net = Net(2)\n    net(torch.ones(2)).sum().backward()\n    return net\nimport not_there_at_all\n"
    )
    ran = run_script(script, [], Recorder())
    assert "model" not in ran.names


def test_the_bars_of_a_notebook_need_no_page(script: Path) -> None:
    pytest.importorskip("tqdm")
    notebook = script.with_suffix(".ipynb")
    notebook.write_text("{}")
    source = "from tqdm.notebook import tqdm, trange\nseen = [*tqdm(range(3)), *trange(2)]\n"
    ran = run_script(notebook, [], Recorder(), source)
    assert ran.error is None
    assert ran.names["seen"] == [0, 1, 2, 0, 1]


def test_schedulers_may_be_told_to_print_as_they_once_could(script: Path) -> None:
    script.write_text(OLD_SCHEDULERS)
    ran = run_script(script, [], Recorder())
    assert ran.error is None
    assert ran.names["rates"] == [pytest.approx(0.5), pytest.approx(0.25)]
    assert [note.split(" was")[0] for note in ran.notes] == [
        "verbose= of ReduceLROnPlateau",
        "verbose= of StepLR",
        "verbose= of LRScheduler",
    ]


OLD_LOOP = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

model = nn.Linear(3, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
batches = iter(DataLoader(TensorDataset(torch.ones(4, 3), torch.zeros(4, dtype=torch.long)), batch_size=2))
inputs, targets = batches.next()
loss = nn.functional.cross_entropy(model(inputs), targets)
loss.backward()
optimizer.step()
said, second = loss.data[0], inputs[0]
correct = (inputs > 0).t()
right = correct[:2].view(-1).float().sum(0)
"""


def test_a_loop_reads_batches_and_losses_as_it_once_could(script: Path) -> None:
    script.write_text(OLD_LOOP)
    recorder = Recorder()
    ran = run_script(script, [], recorder)
    assert ran.error is None
    assert isinstance(ran.names["said"], float)
    assert ran.names["second"].shape == (3,)  # type: ignore[attr-defined]
    assert [p.batches for p in recorder.passes] == [1]
    assert [str(said).partition(" raises")[0] for said in recorder.outdated] == [
        "iterator.next()",
        "loss.data[0]",
        "correct[:k].view(-1)",
    ]
    assert recorder.outdated[0].where == "train.py:9"
    with pytest.raises(IndexError):
        torch.tensor(1.0)[0]
    with pytest.raises(RuntimeError):
        torch.ones(2, 2).bool().t().view(-1)


def test_elements_of_numbers_are_nothing_to_read_in_newer_sources(script: Path) -> None:
    script.write_text("import torch\ntorch.tensor(1.0)[0]\n")
    recorder = Recorder()
    assert "IndexError" in str(run_script(script, [], recorder).error)
    assert recorder.outdated == []


@pytest.mark.parametrize(("code", "said"), [(1, "ValueError: lengths"), (3, "SystemExit: 3")])
def test_what_was_raised_before_the_script_was_left_is_told(script: Path, code: int, said: str) -> None:
    script.write_text(f"import sys\ntry:\n    raise ValueError('lengths')\nexcept ValueError:\n    sys.exit({code})\n")
    ran = run_script(script, [], Recorder())
    assert isinstance(ran.error, UserCodeError)
    assert said in str(ran.error)
