"""How many epochs a loop plans, and where its head is."""

import sys
import types

import pytest

from trainingdoctor.observing.epochs import EpochLoop

HEAD = "from trainingdoctor.observing.epochs import epoch_loop\nimport sys\nfound = []\n"


def planned(body: str, tmp_path: object) -> EpochLoop | None:
    file = f"{tmp_path}/loop_script.py"
    with open(file, "w") as written:  # noqa: PTH123
        written.write(HEAD + body)
    names: dict[str, list[EpochLoop]] = {}
    exec(compile(HEAD + body, file, "exec"), names)
    return names["found"][-1]


SEEN = "found.append(epoch_loop(sys._getframe(0)))"


@pytest.mark.parametrize(
    ("body", "count", "line"),
    [
        (f"for epoch in range(30):\n    {SEEN}\n    break\n", 30, 4),
        (f"n = 7\nfor epoch in range(1, n + 1):\n    for batch in [1]:\n        {SEEN}\n    break\n", 7, 5),
        (f"epoch = 0\nwhile epoch < 12:\n    {SEEN}\n    epoch = 99\n", 12, 5),
        (
            f"c = {{'s': [2, 5]}}\nfor run in range(3):\n    for e in range(c['s'][-1]):\n        {SEEN}\n    break\n",
            3,
            5,
        ),
        (
            f"c = {{'s': [2, 5]}}\nfor run in range(3):\n    for epoch in range(c['s'][-1]):\n        {SEEN}\n    break\n",
            5,
            6,
        ),
        (
            f"def one():\n    for i in range(3):\n        {SEEN}\n        break\nfor epoch in range(20):\n    one()\n    break\n",
            20,
            8,
        ),
    ],
)
def test_counted_loops(body: str, count: int, line: int, tmp_path: object) -> None:
    assert planned(body, tmp_path) == EpochLoop(count, f"loop_script.py:{line}")


def test_a_loop_over_epochs_that_cannot_be_counted_is_not_replaced_by_one_around_it(tmp_path: object) -> None:
    body = f"n = iter([4])\nfor run in range(3):\n    for epoch in range(next(n)):\n        {SEEN}\n    break\n"
    assert planned(body, tmp_path) is None


def test_a_librarys_trainer_says_its_plan(tmp_path: object) -> None:
    module = types.ModuleType("lightning.stand_in")
    code = f"import sys\nfrom trainingdoctor.observing.epochs import epoch_loop\nfound = []\nclass Trainer:\n    max_epochs = 40\n    def fit(self):\n        {SEEN}\n"
    exec(compile(code, f"{sys.prefix}/lib/site-packages/lightning/stand_in.py", "exec"), vars(module))
    module.Trainer().fit()
    assert module.found == [EpochLoop(40, "")]
    module.Trainer.max_epochs = -1
    module.Trainer().fit()
    assert module.found[-1] is None


def test_an_engine_of_ignite_says_its_plan(tmp_path: object) -> None:
    module = types.ModuleType("ignite.stand_in")
    code = f"import sys, types\nfrom trainingdoctor.observing.epochs import epoch_loop\nfound = []\nclass Engine:\n    state = types.SimpleNamespace(max_epochs=7)\n    def run(self):\n        {SEEN}\n"
    exec(compile(code, f"{sys.prefix}/lib/site-packages/ignite/stand_in.py", "exec"), vars(module))
    module.Engine().run()
    assert module.found == [EpochLoop(7, "")]
