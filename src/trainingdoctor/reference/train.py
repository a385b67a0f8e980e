"""The training loop of the reference run: data on the device, augmentation there too, one schedule by step."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import UserError
from trainingdoctor.reference.data import Images, augmented, normalized
from trainingdoctor.reference.recipe import Recipe, schedule
from trainingdoctor.reference.resnet import CifarResNet, channels_last

Say = Callable[[str], None]
# Called after each step with its number, the number of all, and the rate.
OnStep = Callable[[int, int, float], None]
# BatchNorm needs some samples to take its statistics from.
LEAST_BATCH = 8


@dataclass(frozen=True)
class EpochMetrics:
    """One epoch. Accuracies in percent; seconds and images per second of training alone."""

    epoch: int
    rate: float
    loss: float
    train_accuracy: float
    test_accuracy: float
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Settings:
    """What one run is: recipe, model depth, seed, device, precision ("bfloat16" or "float32").

    iterations: where the run ends, if that is before the last epoch's end.
    """

    recipe: Recipe
    depth: int
    epochs: int
    batch_size: int
    seed: int
    device: str
    precision: str
    channels_last: bool = True
    iterations: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return asdict(self)


class Run:
    """One training under way: everything that a checkpoint must hold. `epochs_done` counts finished epochs."""

    def __init__(self, settings: Settings, images: Images) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.device = settings, torch.device(settings.device)
        self.images = images.to(self.device)
        model = CifarResNet(settings.depth, images.classes).to(self.device)
        self.model = channels_last(model) if settings.channels_last else model
        self.optimizer = _optimizer(self.model, settings.recipe)
        # Shuffling and augmentation have a generator of their own, on the CPU: the same numbers on every device.
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.steps_per_epoch = max(1, len(images.train_x) // settings.batch_size)
        whole = settings.epochs * self.steps_per_epoch
        self.steps = min(whole, settings.iterations or whole)
        self.rate = schedule(settings.recipe, self.steps)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=settings.recipe.label_smoothing)
        self.epochs_done, self.micro_batch = 0, settings.batch_size
        self.metrics: list[EpochMetrics] = []

    def epochs(self, say: Say, on_step: OnStep = lambda *_: None) -> Iterator[EpochMetrics]:
        """Train the epochs that are left, yielding each one's metrics."""
        while self.epochs_done < self.settings.epochs and self.epochs_done * self.steps_per_epoch < self.steps:
            metrics = self._epoch(say, on_step)
            self.epochs_done += 1
            self.metrics.append(metrics)
            yield metrics

    def _epoch(self, say: Say, on_step: OnStep) -> EpochMetrics:
        self.model.train()
        started = time.perf_counter()
        total, right, seen = torch.zeros((), device=self.device), torch.zeros((), device=self.device), 0
        first = step = self.epochs_done * self.steps_per_epoch
        for step, indices in enumerate(self._batches(first), start=first):
            loss, correct = self._step_or_smaller(indices, self.rate(step), say)
            total, right, seen = total + loss, right + correct, seen + len(indices)
            on_step(step + 1, self.steps, self.rate(step))
        mean = float(total) / (step - first + 1)
        seconds = time.perf_counter() - started
        accuracy = self._evaluate()
        return EpochMetrics(
            self.epochs_done + 1, self.rate(step), mean, 100 * float(right) / seen, accuracy, seconds, seen / seconds
        )

    def _evaluate(self) -> float:
        """In pieces of 1000; where those do not fit into memory, in pieces of a micro-batch."""
        x, y = self.images.test_x, self.images.test_y
        try:
            return evaluate(self.model, x, y, self._autocast)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self._free_memory()
            return evaluate(self.model, x, y, self._autocast, self.micro_batch)

    def _batches(self, first: int) -> Iterator[Tensor]:
        order = torch.randperm(len(self.images.train_x), generator=self.generator)
        size = self.settings.batch_size
        for start in range(min(self.steps_per_epoch, self.steps - first)):
            yield order[start * size : (start + 1) * size].to(self.device)

    def _step_or_smaller(self, indices: Tensor, rate: float, say: Say) -> tuple[Tensor, Tensor]:
        """One step; out of memory halves the micro-batch, accumulates gradients to the same batch, and says so."""
        while True:
            state = self.generator.get_state()
            try:
                return self._step(indices, rate)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self.micro_batch <= LEAST_BATCH:
                    raise no_memory(self.device, f"{self.micro_batch} samples") from error
                self.micro_batch = math.ceil(self.micro_batch / 2)
                self.generator.set_state(state)
                self.optimizer.zero_grad(set_to_none=True)
                self._free_memory()
                say(
                    f"out of memory: going on with micro-batches of {self.micro_batch}, gradients accumulated to "
                    f"{self.settings.batch_size}; BatchNorm now sees {self.micro_batch} samples"
                )

    def _free_memory(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _step(self, indices: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        total, right = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        for part in indices.split(self.micro_batch):
            x = augmented(normalized(self.images.train_x[part]), self.generator)
            y = self.images.train_y[part]
            with self._autocast():
                logits = self.model(x)
                loss = self.criterion(logits, y) * (len(part) / len(indices))
            loss.backward()
            total, right = total + loss.detach(), right + (logits.detach().argmax(1) == y).sum()
        self.optimizer.step()
        return total, right

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.settings.precision == "bfloat16")

    def state(self) -> dict[str, Any]:
        """All that is needed to go on with the same figures."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "epochs_done": self.epochs_done,
            "micro_batch": self.micro_batch,
            "metrics": [asdict(m) for m in self.metrics],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a `state()`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.epochs_done, self.micro_batch = state["epochs_done"], state["micro_batch"]
        self.metrics = [EpochMetrics(**m) for m in state["metrics"]]


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices},
        {"params": vectors, "weight_decay": recipe.weight_decay if recipe.decay_all else 0.0},
    ]
    return torch.optim.SGD(
        groups, lr=recipe.peak, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=recipe.weight_decay
    )


def is_out_of_memory(error: RuntimeError) -> bool:
    """CUDA's own error, that of the CPU's allocator, and those of libraries that could not get their workspace."""
    words = ("can't allocate memory", "ALLOC_FAILED", "out of memory")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)


def no_memory(device: torch.device | str, what: str) -> UserError:
    """The sentence for a device that is too small, or full."""
    return UserError(f"{device} has no memory for {what}: `trainingdoctor env` tells who holds it; or use --device cpu")


@torch.no_grad()
def evaluate(
    model: nn.Module, images: Tensor, labels: Tensor, autocast: Callable[[], torch.autocast], size: int = 1000
) -> float:
    """Accuracy in percent on all images, a single view of each, in eval mode."""
    model.eval()
    right = torch.zeros((), device=labels.device)
    for x, y in zip(images.split(size), labels.split(size), strict=True):
        with autocast():
            right += (model(normalized(x)).argmax(1) == y).sum()
    return 100 * float(right) / len(labels)
