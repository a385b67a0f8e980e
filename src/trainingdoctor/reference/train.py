"""The training loop of the reference run: data on the device, augmentation there too, one schedule by step."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import one_line
from trainingdoctor.reference.accuracy import evaluate
from trainingdoctor.reference.augmentation import Draws, normalized
from trainingdoctor.reference.data import Images
from trainingdoctor.reference.memory import is_out_of_memory, no_memory
from trainingdoctor.reference.parts import Parts
from trainingdoctor.reference.processes import Processes
from trainingdoctor.reference.resnet import Block, CifarResNet, channels_last
from trainingdoctor.reference.settings import Settings
from trainingdoctor.reference.step import GraphedStep, Step

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


class Run:
    """One training under way: everything that a checkpoint must hold. `epochs_done` counts finished epochs."""

    def __init__(
        self, settings: Settings, images: Images, parts: Parts | None = None, processes: Processes | None = None
    ) -> None:
        torch.manual_seed(settings.seed)
        self.processes = processes or Processes()
        self.settings, self.device, self.parts = settings, torch.device(settings.device), parts or Parts()
        self.images = images.to(self.device)
        self.model = _model(settings, images.classes, self.parts).to(self.device)
        self.optimizer = self.parts.optimizer(self.model, settings.recipe)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.precision == "float16")
        # Shuffling and augmentation have a generator of their own, on the CPU: the same numbers on every device.
        self.generator = torch.Generator().manual_seed(settings.seed)
        sides = torch.Generator().manual_seed(settings.seed + 1)
        self.mirrored = torch.rand(len(images.train_x), generator=sides) < 0.5
        self.steps_per_epoch = max(1, len(images.train_x) // settings.batch_size)
        whole = settings.epochs * self.steps_per_epoch
        self.steps = min(whole, settings.iterations or whole)
        self.rate = self.parts.rate(settings.recipe, self.steps)
        criterion = self.parts.criterion(settings.recipe)
        stepped, micro = self.processes.model(self.model, self.device), settings.batch_size // self.processes.world
        self.step = Step(stepped, self.images, criterion, self.parts.augment, self._autocast, micro, self.scaler.scale)
        self.graphed: GraphedStep | None = None
        # What a graph reads the rate from.
        self.rate_on_device = torch.zeros((), device=self.device)
        self.epochs_done, self.warm_up_seconds, self.fused = 0, 0.0, False
        self.metrics: list[EpochMetrics] = []

    def warm_up(self, say: Say) -> None:
        """Compile and capture what is to be, on samples that then count for nothing. Where that fails, says so and goes on."""
        started = time.perf_counter()
        if self.settings.fused:
            self.fused = _fused(self.model, self.settings, self.processes.world, say)
            self.warm_up_seconds = time.perf_counter() - started
        if not self.settings.graph or self.processes.world > 1:
            return
        count = self.settings.batch_size
        still = torch.zeros(2, count, dtype=torch.long), torch.zeros(count, dtype=torch.bool)
        draws = Draws(torch.arange(count) % len(self.images.train_x), *still).to(self.device)
        self.model.train(self.parts.trains)
        self._set_rate(self.rate_on_device)
        try:
            self.graphed = GraphedStep(self._update, draws, self.model, self.optimizer)
            torch.cuda.synchronize()
        except RuntimeError as error:
            self._free_memory()
            say(f"no CUDA graph, the steps are launched one by one: {one_line(error)}")
        self.warm_up_seconds = time.perf_counter() - started

    def epochs(self, say: Say, on_step: OnStep = lambda *_: None) -> Iterator[EpochMetrics]:
        """Train the epochs that are left, yielding each one's metrics."""
        while self.epochs_done < self.settings.epochs and self.epochs_done * self.steps_per_epoch < self.steps:
            metrics = self._epoch(say, on_step)
            self.epochs_done += 1
            self.metrics.append(metrics)
            yield metrics

    def _epoch(self, say: Say, on_step: OnStep) -> EpochMetrics:
        self.model.train(self.parts.trains)
        started = time.perf_counter()
        total, right, seen = torch.zeros((), device=self.device), torch.zeros((), device=self.device), 0
        first = step = self.epochs_done * self.steps_per_epoch
        for step, draws in enumerate(self._batches(first), start=first):
            loss, correct = self._step(self.processes.share(draws), self.rate(step), say)
            total, right, seen = total + loss, right + correct, seen + len(draws)
            on_step(step + 1, self.steps, self.rate(step))
        mean = float(self.processes.total(total)) / self.processes.world / (step - first + 1)
        right = self.processes.total(right)
        seconds = time.perf_counter() - started
        # BatchNorm's statistics are the first one's in all: it broadcasts them with each step.
        accuracy = self.processes.first_ones(self._evaluate() if self.processes.is_first else 0.0, self.device)
        return EpochMetrics(
            self.epochs_done + 1, self.rate(step), mean, 100 * float(right) / seen, accuracy, seconds, seen / seconds
        )

    def _batches(self, first: int) -> Iterator[Draws]:
        order = self.parts.order(len(self.images.train_x), self.generator)
        draws = Draws.of_epoch(order, self.generator)
        if self.settings.recipe.alternating_flip:
            draws = draws.alternating(self.mirrored, self.epochs_done)
        draws = draws.to(self.device)
        return islice(draws.split(self.settings.batch_size), min(self.steps_per_epoch, self.steps - first))

    def _step(self, draws: Draws, rate: float, say: Say) -> tuple[Tensor, Tensor]:
        """Out of memory halves the micro-batch, accumulates gradients to the same batch, and says so."""
        if self.graphed is not None and self.graphed.size == len(draws):
            self.rate_on_device.fill_(rate)
            return self.graphed(draws)
        self._set_rate(rate)
        while True:
            try:
                return self._update(draws)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                # Several processes must make equally many backward passes.
                if self.step.micro_batch <= LEAST_BATCH or self.processes.world > 1:
                    raise no_memory(self.device, f"{self.step.micro_batch} samples") from error
                self.step.micro_batch = micro = math.ceil(self.step.micro_batch / 2)
                self._free_memory()
                say(
                    f"out of memory: going on with micro-batches of {micro}, gradients accumulated to "
                    f"{self.settings.batch_size}; BatchNorm now sees {micro} samples"
                )

    def _update(self, draws: Draws) -> tuple[Tensor, Tensor]:
        outcome = self.step(draws)
        if self.parts.clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.parts.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return outcome

    def _set_rate(self, rate: float | Tensor) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _free_memory(self) -> None:
        self.model.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _evaluate(self) -> float:
        """In pieces of 2500; where those do not fit into memory, in pieces of a micro-batch."""
        self.model.train(self.parts.evaluates)
        view = self.parts.evaluation_view or normalized
        x, y = self.images.test_x, self.images.test_y
        # Compiling once more for the other mode would cost more than it saves.
        with torch.compiler.set_stance("force_eager") if self.settings.compiled else nullcontext():
            try:
                return evaluate(self.model, x, y, self._autocast, view=view)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                return evaluate(self.model, x, y, self._autocast, self.step.micro_batch, view)

    def _autocast(self) -> torch.autocast:
        # No cache of the converted weights: each is used once a step, and a CUDA graph must not hold on to one.
        kind = getattr(torch, self.settings.precision)
        half = kind is not torch.float32
        return torch.autocast(self.device.type, dtype=kind if half else None, enabled=half, cache_enabled=False)

    def state(self) -> dict[str, Any]:
        """All that is needed to go on with the same figures."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generator": self.generator.get_state(),
            "epochs_done": self.epochs_done,
            "micro_batch": self.step.micro_batch,
            "metrics": [asdict(m) for m in self.metrics],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a `state()`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.generator.set_state(state["generator"])
        self.epochs_done, self.step.micro_batch = state["epochs_done"], state["micro_batch"]
        self.metrics = [EpochMetrics(**m) for m in state["metrics"]]


def _model(settings: Settings, classes: int, parts: Parts) -> CifarResNet:
    model = CifarResNet(settings.depth, classes)
    if settings.channels_last:
        channels_last(model)
    parts.prepare(model)
    if settings.compiled:
        for block in model.modules():
            if isinstance(block, Block):
                block.compile(dynamic=False)
    return model


def _fused(model: CifarResNet, settings: Settings, processes: int, say: Say) -> bool:
    """Put its blocks on this package's kernels. Where those cannot be had, says so and leaves it as it is."""
    from trainingdoctor.reference.fused import why_not
    from trainingdoctor.reference.fused.model import fuse, is_as_built, on_cuda
    from trainingdoctor.reference.fused.tile import Tile

    memory, reason = 0, why_not(settings.device, settings.precision)
    if processes > 1:
        reason = f"{processes} processes share each batch"
    elif not is_as_built(model):
        reason = "the model was changed, and they would not see it"
    if not reason:
        try:
            memory = on_cuda(torch.device(settings.device)).shared_memory
        except (RuntimeError, ImportError, AssertionError, AttributeError, ValueError, TypeError, OSError) as error:
            reason = one_line(error)
    if reason:
        say(f"no fused kernels, the blocks run on cuDNN's: {reason}")
        return False
    if memory < Tile(64).convolve_shared:
        lacking = f"{settings.device} has {memory} bytes of shared memory for a block"
        say(f"{lacking}: the blocks of 64 channels run on cuDNN's kernels")
    fuse(model)
    return True
