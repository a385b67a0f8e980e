"""The user's own training in the harness of the reference run."""

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from trainingdoctor.errors import Unavailable, UserCodeError, UserError
from trainingdoctor.measure.batches import augmented, split_batch
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.optimizers import several
from trainingdoctor.measure.restore import seed_everything
from trainingdoctor.measure.steps import autocast, backward, compute_loss, needs_closure
from trainingdoctor.measure.summary import training_summary
from trainingdoctor.reference import records
from trainingdoctor.reference.accuracy import accuracy_of, right_answers
from trainingdoctor.reference.checkpoint import load_checkpoint, save_checkpoint
from trainingdoctor.reference.run import CHECKPOINT, RunResult, deterministic, result_of
from trainingdoctor.reference.train import EpochMetrics, OnStep, Say
from trainingdoctor.training import Training

NEEDED = ("model", "train_loader", "val_loader", "criterion", "optimizer", "epochs")


def train_own(
    training: Training,
    *,
    epochs: int | None = None,
    device: str | None = None,
    seed: int = 0,
    output: Path | None = None,
    resume: bool = False,
    target: float = 90.0,
    sources: Sequence[Path] = (),
    on_epoch: Callable[[EpochMetrics, int], None] = lambda *_: None,
    on_step: OnStep = lambda *_: None,
    say: Say = lambda _: None,
) -> RunResult:
    """Train a config as it stands: its loaders, optimizer, schedule, clipping and precision. Changes its objects.

    device: where to (default: where the model is).  sources: the config's files, which go into the record's hash.
    Raises UserError when the config lacks something that a training needs, or its code raises.
    """
    run = OwnRun(training, epochs, device, seed)
    identity = f"{records.source_hash(*sources)} {seed} {run.total}"
    if output is not None:
        records.prepare(output)
        if resume and (output / CHECKPOINT).is_file():
            run.load_state(load_checkpoint(output / CHECKPOINT, identity))
            say(f"resuming after epoch {len(run.metrics)}")
        records.write_conditions(output, run.conditions(sources), run.device)
    with sentences(training.name), deterministic():
        for metrics in run.epochs(on_step):
            if output is not None:
                save_checkpoint(output / CHECKPOINT, {"identity": identity, **run.state()})
                records.write_metrics(output, run.metrics)
            on_epoch(metrics, run.total)
    result = result_of(run.metrics, seed, run.model, training.name)
    if output is not None:
        records.write_result(output, result, target, training.name)
    return result


@contextmanager
def sentences(name: str) -> Iterator[None]:
    """What the training's own code raises in the block becomes a UserError."""
    try:
        yield
    except (UserCodeError, Unavailable) as error:
        raise UserError(f"{name} cannot be trained: {error}") from error


class OwnRun:
    """One training of a config under way: everything that a checkpoint must hold.

    only_last: evaluate after the last epoch alone; the accuracies of the others are NaN.
    """

    def __init__(
        self, training: Training, epochs: int | None, device: str | None, seed: int, only_last: bool = False
    ) -> None:
        missing = [name for name in NEEDED if getattr(training, name) is None and not (name == "epochs" and epochs)]
        if missing:
            raise UserError(f"{training.name} cannot be trained without {', '.join(missing)}: add that to the config")
        self.training, self.seed, self.only_last = training, seed, only_last
        model, criterion = training.model, training.criterion
        assert model is not None
        assert criterion is not None
        self.model, self.criterion = model, criterion
        if device is not None:
            self.model.to(device)
            if isinstance(self.criterion, nn.Module):
                self.criterion.to(device)
        self.device = next((p.device for p in self.model.parameters()), torch.device("cpu"))
        self.optimizers = several(training.optimizer)
        self.schedulers = several(training.scheduler) if training.scheduler is not None else ()
        self.total = int(epochs or training.epochs or 1)
        self.metrics: list[EpochMetrics] = []
        if unfit := [type(o).__name__ for o in self.optimizers if needs_closure(o)]:
            raise UserError(f"{training.name}: {unfit[0]} needs a closure, which this harness does not give")
        # float16 gradients underflow without it (Micikevicius et al. 2018, arXiv:1710.03740).
        half = autocast_dtype(training.amp, self.device) is torch.float16
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=half)
        seed_everything(seed)

    def conditions(self, sources: Sequence[Path]) -> dict[str, Any]:
        """What config.json holds."""
        fields = [getattr(self.training, name) for name in training_summary.needs]
        summary = training_summary(*fields)
        hashed = records.source_hash(*sources)
        return {"config": self.training.name, **summary, "epochs": self.total, "seed": self.seed, "source": hashed}

    def epochs(self, on_step: OnStep) -> Iterator[EpochMetrics]:
        """Train the epochs that are left, yielding each one's metrics."""
        while len(self.metrics) < self.total:
            self.metrics.append(self._epoch(on_step))
            yield self.metrics[-1]

    def _epoch(self, on_step: OnStep) -> EpochMetrics:
        self.model.train()
        started, seen, total, right, steps = time.perf_counter(), 0, 0.0, 0, 0
        rate = self._rate()
        per_epoch = len(self.training.train_loader) if hasattr(type(self.training.train_loader), "__len__") else 0  # type: ignore[arg-type]
        for raw in self.training.train_loader or ():
            loss, correct, size = self._step(raw)
            total, right, seen, steps = total + loss, right + correct, seen + size, steps + 1
            on_step(len(self.metrics) * per_epoch + steps, self.total * per_epoch, self._rate())
            if self.training.scheduler_interval == "step":
                self._advance(None)
        if not steps:
            raise Unavailable("train_loader is empty: it gives no batch")
        seconds = time.perf_counter() - started
        early = self.only_last and len(self.metrics) + 1 < self.total and not _follows_metric(self.schedulers)
        accuracy = math.nan if early else accuracy_of(self.model, self.training.val_loader)
        if self.training.scheduler_interval == "epoch":
            self._advance(accuracy)
        return EpochMetrics(
            len(self.metrics) + 1, rate, total / steps, 100 * right / seen, accuracy, seconds, seen / seconds
        )

    def _step(self, raw: Any) -> tuple[float, int, int]:
        """One step; the loss before it, the number of right answers, and of samples."""
        batch = augmented(split_batch(raw), self.training.augment_on_device)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        output, loss = compute_loss(self.model, batch, self.criterion, self.training.amp)
        backward(self.scaler.scale(loss))
        if self.training.grad_clip:
            for optimizer in self.optimizers:
                self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.training.grad_clip)
        with user_code("optimizer.step()"):
            for optimizer in self.optimizers:
                self.scaler.step(optimizer)
        self.scaler.update()
        return float(loss.detach()), right_answers(output, batch.targets), batch.size

    def _rate(self) -> float:
        return float(self.optimizers[0].param_groups[0]["lr"])

    def _advance(self, metric: float | None) -> None:
        with user_code("scheduler.step()"):
            for scheduler in self.schedulers:
                if not isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
                    scheduler.step()
                elif metric is not None:
                    scheduler.step(metric if scheduler.mode == "max" else -metric)

    def state(self) -> dict[str, Any]:
        """All that is needed to go on with the same figures, if the loaders draw from the global random states."""
        numpy: Any = np.random.get_state()
        return {
            "model": self.model.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "schedulers": [_plain_state(s) for s in self.schedulers],
            "scaler": self.scaler.state_dict(),
            "torch": torch.get_rng_state(),
            "generator": _generator_state(self.training.train_loader),
            "cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
            "numpy": [numpy[0], numpy[1].tolist(), *numpy[2:]],
            "python": random.getstate(),
            "metrics": [vars(m) for m in self.metrics],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a `state()`."""
        self.model.load_state_dict(state["model"])
        for optimizer, held in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(held)
        for scheduler, held in zip(self.schedulers, state["schedulers"], strict=True):
            if held is not None:
                scheduler.load_state_dict(held)
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["torch"])
        if state["generator"] is not None:
            getattr(self.training.train_loader, "generator").set_state(state["generator"])  # noqa: B009
        if state["cuda"]:
            torch.cuda.set_rng_state_all(state["cuda"])
        kind, keys, *rest = state["numpy"]
        np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
        version, internal, gauss = state["python"]
        random.setstate((version, tuple(internal), gauss))
        self.metrics = [EpochMetrics(**m) for m in state["metrics"]]


def autocast_dtype(amp: Any, device: torch.device) -> torch.dtype | None:
    """The type that `autocast` computes in; None without."""
    with autocast(amp, device) as context:
        return context.fast_dtype if isinstance(context, torch.autocast) else None


def _follows_metric(schedulers: Iterable[Any]) -> bool:
    return any(isinstance(s, torch.optim.lr_scheduler.ReduceLROnPlateau) for s in schedulers)


def _plain_state(scheduler: Any) -> dict[str, Any] | None:
    """What a scheduler says it must remember; None for one that says nothing."""
    own = getattr(scheduler, "state_dict", None)
    return own() if callable(own) else None


def _generator_state(loader: Any) -> torch.Tensor | None:
    generator = getattr(loader, "generator", None)
    return generator.get_state() if isinstance(generator, torch.Generator) else None
