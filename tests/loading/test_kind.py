"""Configs and scripts, told apart by their source."""

from pathlib import Path

import pytest

from trainingdoctor.loading.kind import is_script

CONFIG = "import torch\nmodel = torch.nn.Linear(2, 2)\nmodel.train()\n"


@pytest.mark.parametrize(
    ("source", "script"),
    [
        (CONFIG, False),
        ("def training():\n    return 1\n", False),
        (CONFIG + "scaler.fit(x)\n", False),
        (CONFIG + "loss.backward()\n", True),
        (CONFIG + "for x in y:\n    optimizer.zero_grad()\n    optimizer.step()\n", True),
        (CONFIG + "if __name__ == '__main__':\n    main()\n", True),
        ("import lightning as L\n" + CONFIG + "L.Trainer().fit(model)\n", True),
        ("from transformers import Trainer\n" + CONFIG + "Trainer(model).train()\n", True),
        ("print(1)\n", True),
        ("def broken(:\n", False),
    ],
)
def test_kinds(tmp_path: Path, source: str, script: bool) -> None:
    file = tmp_path / "file.py"
    file.write_text(source)
    assert is_script(file) is script
