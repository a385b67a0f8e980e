"""Takes down what the hooks see of a loop."""

from __future__ import annotations

import copy
import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from trainingdoctor.measure.batches import split_batch, tensors
from trainingdoctor.observing.accuracy import says_accuracy
from trainingdoctor.observing.afterwards import UsedLater, used_later
from trainingdoctor.observing.calls import CriterionCall, Samples, gives_as_it_is, reduction
from trainingdoctor.observing.clipping import Clipping
from trainingdoctor.observing.epochs import epoch_loop
from trainingdoctor.observing.functions import loss_call
from trainingdoctor.observing.graphs import Graphs
from trainingdoctor.observing.limits import Clock, Enough, Limits
from trainingdoctor.observing.passes import Pass, Watched
from trainingdoctor.observing.places import users_frame, users_place
from trainingdoctor.observing.ranks import Ranks
from trainingdoctor.observing.spectra import Spectra
from trainingdoctor.observing.ticks import Schedulers
from trainingdoctor.observing.timeline import Timeline
from trainingdoctor.observing.watch import OptimizerWatch

# A script that catches `Enough` so often catches everything, and goes on for ever.
SWALLOWED = 10
# Losses of one's own are looked for in the first few calls of backward().
FEW = 3
# Steps without a new batch from a loader, from which on the loop is one without loaders.
LEAST_IDLE = 10


def _targets(raw: Any) -> Any:
    """The targets in what a loader gave."""
    return None if raw is None else split_batch(raw).targets


# So many times the limit of steps without one of an optimizer that was built may be gradients that accumulate.
ACCUMULATED = 10


def _is_uniform(target: Any) -> bool:
    """Whether several samples have one and the same target."""
    return isinstance(target, Tensor) and target.numel() > 1 and bool((target == target.flatten()[0]).all())


class Recorder:
    """Everything that was seen, while it is being seen. The hooks call the methods named `on_...`.

    leave: takes the hooks away.  swallowed: called where the script catches the signal to stop, time and again.
    stops: end passes early, and raise `Enough` where all has been seen; else `on_enough` is called there, once.
    """

    def __init__(self, limits: Limits | None = None, stops: bool = True) -> None:
        self.limits, self.stops = limits or Limits(), stops
        self.clock = Clock()
        self.passes: list[Pass] = []
        self.current: Pass | None = None
        self.loaders: list[Any] = []
        self.kinds: dict[int, str] = {}
        self.optimizers: list[OptimizerWatch] = []
        self.built: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self.schedulers = Schedulers()
        self.ranks = Ranks()
        self.models: dict[int, nn.Module] = {}
        self.used: dict[int, int] = {}
        self.initial: dict[int, dict[str, Any]] = {}
        self.momenta: list[tuple[_BatchNorm, float | None]] = []
        self.samples = Samples()
        self.criterion: CriterionCall | None = None
        self.last_call: tuple[nn.Module, Any, Any] | None = None
        self.inner: tuple[Callable[..., Any], Any, Any, Any] | None = None
        self.clipping, self.graphs, self.timeline, self.spectra = Clipping(), Graphs(), Timeline(), Spectra()
        self.epoch_loop = ""
        self.idle = self.epoch = self.epochs = self.backwards = self.built_count = self.raised = 0
        self.leave: Callable[[], object] = lambda: None
        self.swallowed: Callable[[], object] = lambda: None
        self.on_enough: Callable[[], object] = lambda: None
        self.backward_at = self.saves_best = ""
        self.criterion_value: float | None = None
        self.loss_value: float | None = None
        self.unreduced: Tensor | None = None
        self.amp: torch.dtype | None = None
        self.later: tuple[UsedLater, ...] = ()
        self.uniform = True
        self.cut = self.emptied = self.full = self.closing = self.relabelled = False

    # -- loaders

    def begin_pass(self, loader: Any, iterator: Any) -> Watched:
        """A DataLoader is iterated anew. Raises Enough where everything has been seen."""
        self._poll(within=False)
        number = self._number(loader)
        known = self.kinds.get(number)
        if known == "training" and self.epoch >= 2 and self._evaluated():
            self.later = self.later or used_later(sys._getframe(1))
            self._enough()
        begun = Pass(loader, number, users_place(3), known="evaluation" if known == "evaluation" else None)
        begun.empty = self.stops and known == "training" and self.epoch >= self.limits.epochs
        self.emptied = self.emptied or begun.empty
        if not self.epochs:
            # Now, not when it turns out to train: reading a frame's variables keeps what they hold alive, such as a loss.
            begun.planned = epoch_loop(sys._getframe(3))
        self.passes.append(begun)
        self.ranks.on_pass(begun)
        self.graphs.forget()
        return Watched(iterator, begun, self)

    def next_batch(self, asking: Pass) -> bool:
        """Whether the pass is to end here."""
        self.current, self.idle = asking, 0
        if self.clock.seconds > self.limits.total and self.optimizers:
            self._enough()
        over = self.stops and asking.over(self.limits)
        self.cut = self.cut or over
        return over

    def end_pass(self, ending: Pass) -> None:
        """A pass is over, by itself or cut short."""
        self._poll(within=False)
        self.kinds.setdefault(ending.number, ending.kind)

    def break_off(self) -> None:
        """The script raised: a first pass in train mode, whose first backward() was still to come, was to train."""
        now = self.current
        if now is not None and not self.epoch and self.built_count and now.train_mode and now.with_gradient:
            self.kinds[now.number] = now.known = "training"

    def _number(self, loader: Any) -> int:
        for i, known in enumerate(self.loaders):
            if known is loader:
                return i
        self.loaders.append(loader)
        return len(self.loaders) - 1

    def _evaluated(self) -> bool:
        trained = next((i for i, p in enumerate(self.passes) if p.kind == "training"), len(self.passes))
        return any(p.kind == "evaluation" and p.batches for p in self.passes[trained:])

    def _enough(self) -> None:
        if not self.stops:
            if not self.full:
                self.full = True
                self.on_enough()
            return
        self.raised += 1
        if self.raised > SWALLOWED:
            self.swallowed()
        raise Enough

    # -- model and criterion

    def on_forward(self, model: nn.Module) -> None:
        """A module with parameters that no other module called is about to run."""
        self.ranks.on_forward(model, torch.is_grad_enabled())
        self.models.setdefault(id(model), model)
        if torch.is_grad_enabled() and id(model) not in self.initial and len(self.initial) < 4:
            self.initial[id(model)] = copy.deepcopy(model.state_dict())
            self.momenta += [(m, m.momentum) for m in model.modules() if isinstance(m, _BatchNorm)]
        now = self.current
        if now is not None and self._is_trained(model):
            now.train_mode += model.training
            now.eval_mode += not model.training
            now.with_gradient += torch.is_grad_enabled()
        self.spectra.on_forward(model, now)
        if self._is_trained(model):
            self.timeline.add("forward_train" if model.training else "forward_eval", now)

    def _is_trained(self, model: nn.Module) -> bool:
        """Whether an optimizer that was seen holds some of it; every model until one was seen. No teacher, no average."""
        return not self.optimizers or any(w.model is model for w in self.optimizers)

    def after_forward(self, model: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """It has run."""
        self.last_call = (model, (args, kwargs), output)
        self.used[id(model)] = self.used.get(id(model), 0) + torch.is_grad_enabled()
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                self.amp = torch.get_autocast_dtype(device)
        self._own_loss(output)
        now = self.current
        if now is not None:
            targets = _targets(now.raw_of((args, kwargs)))
            now.count.add(output, targets, now.batches)
            if not torch.is_grad_enabled():
                self.samples.keep("evaluation", id(model), (args, kwargs), targets)
            elif now.raws and not gives_as_it_is(now.raws[-1], args, kwargs):
                self.samples.keep("rearranged", id(model), (args, kwargs), None)
        first = next(tensors(output), None)
        if first is not None and first.grad_fn is not None:
            self._keep_watch(first)

    def on_inner_loss(self, function: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> None:
        """A loss function ran inside of a model, which may give its result as its own loss."""
        self.inner = (function, args, kwargs, result)

    def _own_loss(self, output: Any) -> None:
        """Models of Hugging Face give their loss under its name, those of others as (logits, loss)."""
        inner, self.inner = self.inner, None
        if inner is None:
            return
        named = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
        given = [named] if isinstance(named, Tensor) else tensors(output) if isinstance(output, tuple) else ()
        if any(own.requires_grad and torch.equal(own, inner[-1]) for own in given):
            self.on_criterion(*inner)

    def on_criterion(self, function: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> None:
        """A loss function ran outside of any model."""
        if self.last_call is None or not isinstance(result, Tensor):
            return
        model, given, output = self.last_call
        call = CriterionCall.of(function, args, kwargs, output)
        if call is None:
            return
        self._compare_targets(call.target)
        self.uniform = self.uniform and _is_uniform(call.target)
        training = torch.is_grad_enabled() and result.requires_grad
        # The loss of an auxiliary head is not the one that is examined.
        main = self.criterion is None or call.part <= self.criterion.part
        if training and main:
            self.criterion = call
            self.unreduced = result.detach() if result.numel() > 1 else None
            self.criterion_value = float(result.detach().mean()) if result.numel() else None
            self.samples.keep("training", id(model), given, call.target)

    def _compare_targets(self, target: Any) -> None:
        """Whether the loop changes the class numbers of its loader: then only it can count what is right."""
        given = None if self.current is None or not self.current.raws else _targets(self.current.raws[-1])
        if isinstance(target, Tensor) and isinstance(given, Tensor) and target.shape == given.shape:
            self.relabelled = self.relabelled or not torch.equal(target.to(given), given)

    def on_text(self, text: str) -> None:
        """The script prints something, to either stream."""
        if self.passes:
            self.passes[-1].count.hear(text, users_place(4) if says_accuracy(text) else "")

    # -- gradients and steps

    def on_backward(self, losses: Any) -> None:
        """backward() is about to run."""
        self.backwards += 1
        first = next(tensors(losses), None)
        if self.current is not None:
            self._begin_epoch(self.current)
            self.current.backwards += 1
        self.backward_at = users_place(4) or self.backward_at
        if first is not None and first.numel() == 1:
            self.loss_value = float(first.detach())
            self._reduced(self.loss_value)
        if first is not None and first.grad_fn is not None:
            self._keep_watch(first)
        if self.criterion is None and self.backwards <= FEW and first is not None and self.last_call is not None:
            found = loss_call(users_frame(4), first, self.last_call[2])
            if found is not None:
                self.on_criterion(found.function, found.args, found.kwargs, first)
        for watch in self.optimizers:
            watch.compare()
            watch.before_backward()
        if any(watch.cleared for watch in self.optimizers):
            self.timeline.found_cleared(self.current)
        self.timeline.add("backward", self.current)

    def _reduced(self, loss: float) -> None:
        """A criterion that gives a loss for each sample is examined with what the loop makes of these, or not at all."""
        if self.unreduced is not None and self.criterion is not None:
            by = reduction(self.unreduced, loss)
            self.criterion = None if by is None else replace(self.criterion, reduced=by)
            self.unreduced = None

    def after_backward(self) -> None:
        """It has run."""
        for watch in self.optimizers:
            watch.backwards += 1
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
        self._poll(within=self.current is not None and self.current.steps > 0)
        self.closing = closure
        if not closure:
            watch.before_step(self, users_place(4))

    def after_step(self, optimizer: Optimizer) -> None:
        """It has stepped."""
        for watch in self.optimizers:
            if watch.optimizer is optimizer:
                if self.closing:
                    watch.before_step(self, users_place(4))
                watch.after_step()
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

    def on_zero_grad(self) -> None:
        """An optimizer or a module clears its gradients."""
        self.timeline.add("zero_grad", self.current)

    def _poll(self, within: bool) -> None:
        if self.schedulers.poll(within):
            self.timeline.add("scheduler", self.current if within else None)

    @property
    def steps(self) -> int:
        """Of all optimizers, so far."""
        return sum(len(w.steps) for w in self.optimizers)
