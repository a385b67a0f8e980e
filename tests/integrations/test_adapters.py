"""The adapters, in the real libraries: a healthy training is silent, a sick one is named, no hook stays behind."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import module as modules
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.observing import by_hand
from trainingdoctor.report import Report
from trainingdoctor.settings import Settings

EXAMPLE = Path(__file__).parents[2] / "examples" / "observe_accelerate.py"
QUICK = Settings(quick=True, select=("loop", "loss", "optimizer", "schedule", "training"))


@pytest.fixture(autouse=True)
def _no_hook_stays() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    assert not modules._global_forward_pre_hooks
    assert not modules._global_forward_hooks


def loaders() -> tuple[DataLoader[Any], DataLoader[Any]]:
    x = torch.randn(600, 20)
    y = x[:, :5].argmax(1)
    train, test = TensorDataset(x[:500], y[:500]), TensorDataset(x[500:], y[500:])
    return DataLoader(train, 50, shuffle=True), DataLoader(test, 50)


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 5))


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=1e-3)


def roots(report: Report | None) -> tuple[str, ...]:
    assert report is not None
    assert not [r for r in report.results if r.outcome.value == "crashed"]
    return report.root_causes


@pytest.mark.parametrize(("softmax", "found"), [(False, ()), (True, ("loss.softmax_before_cross_entropy",))])
def test_lightning(softmax: bool, found: tuple[str, ...]) -> None:
    lightning = pytest.importorskip("lightning")
    from trainingdoctor.integrations.lightning import TrainingDoctor

    class Module(lightning.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = net()

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.net(x)
            return logits.softmax(1) if softmax else logits

        def training_step(self, batch: Any, _: int) -> Tensor:
            return functional.cross_entropy(self(batch[0]), batch[1])

        def validation_step(self, batch: Any, _: int) -> None:
            self(batch[0])

        def configure_optimizers(self) -> Any:
            optimizer = sgd(self)
            return {"optimizer": optimizer, "lr_scheduler": CosineAnnealingLR(optimizer, 4)}

    doctor = TrainingDoctor(settings=QUICK)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(
        max_epochs=4, accelerator="cpu", callbacks=[doctor], enable_model_summary=False, **quiet
    )
    trainer.fit(Module(), *loaders())
    assert roots(doctor.report) == found
    assert doctor.report is not None
    assert (doctor.report.training["epochs"], doctor.report.training["scheduler"]) == (4, ["CosineAnnealingLR"])


@pytest.mark.parametrize(("rate", "found"), [(1e-3, ()), (0.0, ("optimizer.negative",))])
def test_transformers(rate: float, found: tuple[str, ...], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from trainingdoctor.integrations.transformers import TrainingDoctor

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.BertConfig(vocab_size=30, num_labels=3, max_position_embeddings=16, **sizes)
    ids = torch.randint(0, 30, (240, 8))
    data = [{"input_ids": i, "attention_mask": torch.ones_like(i), "labels": i[0] % 3} for i in ids]
    doctor = TrainingDoctor(settings=QUICK)
    arguments = transformers.TrainingArguments(
        str(tmp_path), num_train_epochs=2, per_device_train_batch_size=20, learning_rate=rate, use_cpu=True,
        eval_strategy="epoch", save_strategy="no", report_to=[], disable_tqdm=True,
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config)
    trainer = transformers.Trainer(
        model, arguments, train_dataset=data[:200], eval_dataset=data[200:], callbacks=[doctor]
    )
    trainer.train()
    assert bool(roots(doctor.report)) == bool(found)
    assert doctor.report is not None
    assert (doctor.report.training["criterion"], doctor.report.training["scheduler"]) == (
        "CrossEntropyLoss",
        ["LambdaLR"],
    )


@pytest.mark.parametrize("steps", [True, False])
def test_ignite(steps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests in this process count as the user's files, and set rates by hand.
    monkeypatch.setattr(by_hand, "_loaded", lambda: iter(()))
    engine = pytest.importorskip("ignite.engine")
    from trainingdoctor.integrations.ignite import TrainingDoctor

    train, test = loaders()
    model = net()
    optimizer = sgd(model)
    scheduler = CosineAnnealingLR(optimizer, 4)
    trainer = engine.create_supervised_trainer(model, optimizer, nn.CrossEntropyLoss())
    evaluator = engine.create_supervised_evaluator(model)

    @trainer.on(engine.Events.EPOCH_COMPLETED)  # type: ignore[untyped-decorator]
    def _() -> None:
        evaluator.run(test)
        if steps:
            scheduler.step()

    doctor = TrainingDoctor(settings=QUICK)
    doctor.attach(trainer)
    trainer.run(train, max_epochs=4)
    assert roots(doctor.report) == (() if steps else ("loop.scheduler_never_stepped",))


def test_the_accelerate_example_is_healthy() -> None:
    pytest.importorskip("accelerate")
    names = runpy.run_path(str(EXAMPLE))
    assert roots(names["train"](epochs=3, settings=QUICK)) == ()
