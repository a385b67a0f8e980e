"""Takes down what the hooks see of a loop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from trainingdoctor.measure.batches import split_batch, tensors
from trainingdoctor.observing.accuracy import MOST_BATCHES, says_accuracy
from trainingdoctor.observing.answers import are_scores
from trainingdoctor.observing.broadcasts import broadcast_in
from trainingdoctor.observing.functions import loss_call
from trainingdoctor.observing.losses import same_first, targets_in
from trainingdoctor.observing.metrics import metric_of
from trainingdoctor.observing.pass_recorder import PassRecorder
from trainingdoctor.observing.passes import Pass
from trainingdoctor.observing.places import users_frame, users_place
from trainingdoctor.observing.samples import gives_as_it_is
from trainingdoctor.observing.terms import uneven_terms
from trainingdoctor.observing.ticks import driven
from trainingdoctor.observing.watch import OptimizerWatch

# Losses of one's own are looked for in the first few calls of backward().
FEW = 3
# One that was found is followed in so many: what it gets in each batch is told from several.
MORE = 8
# Steps without a new batch from a loader, from which on the loop is one without loaders.
LEAST_IDLE = 10
# So many times the limit of steps without one of an optimizer that was built may be gradients that accumulate.
ACCUMULATED = 10


class Recorder(PassRecorder):
    """Takes down what is seen, while it is being seen. The hooks call the methods named `on_...`."""

    # -- model and criterion

    def on_forward(self, model: nn.Module) -> None:
        """A module with parameters that no other module called is about to run."""
        self.ranks.on_forward(model, torch.is_grad_enabled())
        self.models.setdefault(id(model), model)
        if torch.is_grad_enabled() and id(model) not in self.initial and len(self.initial) < 4:
            self.initial[id(model)] = copy.deepcopy(model.state_dict())
            self.momenta += [(m, m.momentum) for m in model.modules() if isinstance(m, _BatchNorm)]
        now = self.current
        if now is not None:
            now.used()
        if now is not None and (self._is_trained(model) or self._is_in_its_place(model, now)):
            now.train_mode += model.training
            now.eval_mode += not model.training
            now.with_gradient += torch.is_grad_enabled()
        self.spectra.on_forward(model, now)
        held = self._held
        own = any(id(p) in held for p in model.parameters())
        self.beside = bool(held) and not own
        if now is not None and not own:
            self.teachers.on_forward(model, now)
        if now is not None and not torch.is_grad_enabled() and self.kinds.get(now.number) != "training":
            self.averages.on_evaluation(model, now, self.optimizers)
        if self._is_trained(model):
            self.timeline.add("forward_train" if model.training else "forward_eval", now)

    def after_forward(self, model: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """It has run."""
        first = next(tensors(output), None)
        # The losses that follow a teacher's answer are of what was called before it.
        if not self.beside or (first is not None and first.requires_grad):
            self.losses.on_call(model, (args, kwargs), output)
        if self.current is None and model.training and torch.is_grad_enabled() and self._is_trained(model):
            self.slices.add((args, kwargs))
        self.used[id(model)] = self.used.get(id(model), 0) + torch.is_grad_enabled()
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                self.amp = torch.get_autocast_dtype(device)
        if (own := self.losses.own_of(output)) is not None:
            self.on_criterion(*own)
        now = self.current
        if now is not None:
            raw = now.raw_of((args, kwargs))
            targets = targets_in(raw)
            now.count.add(output, targets, now.asked)
            self._answered(model, (args, kwargs), first, raw)
            if not torch.is_grad_enabled():
                self.losses.samples.keep("evaluation", id(model), (args, kwargs), targets)
            elif raw is not None and not gives_as_it_is(raw, args, kwargs):
                self.losses.samples.keep("rearranged", id(model), (args, kwargs), None)
        if first is not None and first.grad_fn is not None:
            self._keep_watch(first)

    def _answered(self, model: nn.Module, given: Any, scores: Tensor | None, raw: Any) -> None:
        """What it said of the classes of a batch. Another model's are counted where it got the batch as the loader gave it."""
        targets = targets_in(raw)
        if scores is None or self.current is None or not are_scores(scores, targets):
            return
        if not self.beside:
            self.width = scores.shape[1]
        elif same_first(given, split_batch(raw).inputs):
            self.teachers.after_forward(model, scores, targets, self.current)

    def on_criterion(self, function: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> None:
        """A loss function ran outside of any model."""
        now = self.current
        if now is not None and isinstance(result, Tensor) and result.numel() == 1 and len(now.losses) < MOST_BATCHES:
            now.losses.append(result.detach())
        raw = None if now is None else now.raw_of((args, kwargs))
        self.losses.on_criterion(function, args, kwargs, result, raw)

    def on_text(self, text: str) -> None:
        """The script prints something, to either stream."""
        self.said = text.strip() or self.said
        if self.passes:
            self.passes[-1].count.hear(text, users_place(4) if says_accuracy(text) else "")

    def on_metric(self, scheduler: Any, value: float) -> None:
        """A scheduler is stepped with what it watches."""
        self.schedulers.told(scheduler, metric_of(value, self.passes))

    # -- gradients and steps

    def on_backward(self, losses: Any) -> None:
        """backward() is about to run."""
        self.backwards += 1
        self.leave_evaluation()
        first = next(tensors(losses), None)
        if self.current is not None:
            self._begin_epoch(self.current)
            self.current.backwards += 1
        self.backward_at = users_place(4) or self.backward_at
        if first is not None and first.numel() == 1:
            self.loss_value = float(first.detach())
            self.losses.on_backward(first)
            self.losses.reduced(self.loss_value)
        last = self.losses.last_call
        if first is not None and first.grad_fn is not None:
            self._keep_watch(first)
            self.losses.mixing.weigh(first)
            self._look_at_loss(first, self.loss_value if first.numel() == 1 else None)
        seen = self.losses.criterion
        looked_for = self.backwards <= (FEW if seen is None else MORE if self.losses.in_source else 0)
        if looked_for and first is not None and last is not None:
            found = loss_call(users_frame(4), first, (last[2], self.losses.earlier_output))
            if found is not None:
                self.losses.in_source = True
                self.on_criterion(found.function, found.args, found.kwargs, first)
        if self.optimizers and first is not None and first.numel() == 1 and self.loss_value is not None:
            self.penalties.add(self.loss_value, self.losses.value, self.optimizers[0].parameters)
        for watch in self.optimizers:
            watch.compare()
            watch.before_backward()
        if any(watch.cleared for watch in self.optimizers):
            self.timeline.found_cleared(self.current)
        self.timeline.add("backward", self.current)

    def _look_at_loss(self, loss: Tensor, value: float | None) -> None:
        """Whether it is a number, and one of pairs that belong together. value: None of a loss for each sample."""
        last = self.losses.last_call
        held = last[0].parameters() if last else (p for w in self.optimizers for p in w.parameters)
        if value is not None:
            self.nonfinite.add(loss, value, held, last[2] if last else None, self.backward_at)
        if self.backwards <= FEW:
            self.broadcast = self.broadcast or broadcast_in(loss, self.backward_at)
            self.terms = self.terms or uneven_terms(loss, self.losses.value, self.backward_at)

    def after_backward(self) -> None:
        """It has run."""
        for watch in self.optimizers:
            watch.after_backward()
        if not self.optimizers:
            # Some loops change the weights by hand; where an optimizer was built, it may be gradients that accumulate.
            if not self.built_count or self.backwards > ACCUMULATED * self.limits.steps:
                self._idled()
        elif self.stops and self.closing and self.clock.seconds > self.limits.total:
            self._enough_within()

    def _enough_within(self) -> None:
        """A step whose closure takes minutes, as L-BFGS's may, is not waited for; it counts as made."""
        for watch in self.optimizers:
            if not watch.steps:
                watch.before_step(self, users_place(4))
        self._enough()

    def _begin_epoch(self, now: Pass) -> None:
        """At the first backward() or step of a pass."""
        if now.epoch:
            return
        self.epoch += 1
        now.epoch = self.epoch
        self.kinds[now.number] = "training"
        self.graphs.forget()
        if now.planned and not self.epochs:
            self.epochs, self.epoch_loop = now.planned.count, now.planned.where

    def _keep_watch(self, tensor: Tensor) -> None:
        now = self.current
        alive = self.graphs.watch(tensor, self.backwards if now is None else now.batches)
        if now is not None:
            now.kept = max(now.kept, alive)

    def before_step(self, optimizer: Optimizer, closure: bool = False) -> None:
        """An optimizer is about to step. closure: the gradients are computed within, so that there is nothing to see yet."""
        if self.current is not None:
            self._begin_epoch(self.current)
        watch = next((w for w in self.optimizers if w.optimizer is optimizer), None)
        if watch is None:
            watch = OptimizerWatch(optimizer, self.built.get(optimizer, ""), max(self.epoch, 1), self.models.values())
            self.optimizers.append(watch)
            self.schedulers.look(optimizer)
            self.loaded.before_training(watch.parameters)
            mine = (w.scheduler for w in self.schedulers.watched if driven(w.scheduler) is optimizer)
            self.reloaded.before_training(optimizer, mine)
        self._poll(within=self.current is not None and self.current.steps > 0)
        self.closing = closure
        if not closure:
            watch.before_step(self, users_place(4))
        self.averages.before_step(self.optimizers[0])

    def after_step(self, optimizer: Optimizer) -> None:
        """It has stepped."""
        for watch in self.optimizers:
            if watch.optimizer is optimizer:
                if self.closing:
                    watch.before_step(self, users_place(4))
                watch.after_step()
        if self.optimizers and self.optimizers[0].optimizer is optimizer:
            self.averages.after_step(self.optimizers[0])
        self.timeline.add("step", self.current)
        if self.current is not None:
            self.current.steps += 1
        self._idled()

    def _idled(self) -> None:
        """A step without a new batch from a loader."""
        self.idle += 1
        late = self.stops and self.idle >= LEAST_IDLE and self.clock.seconds > self.limits.total
        if late or (self.idle if self.stops else self.steps) >= 3 * self.limits.steps:
            self._enough()

    def on_load(self, module: nn.Module, state: Any, where: str) -> None:
        """A module has loaded a state."""
        if not self.backwards:
            self.loaded.on_load(module, state, where)

    def on_zero_grad(self) -> None:
        """An optimizer or a module clears its gradients."""
        self.timeline.add("zero_grad", self.current)
