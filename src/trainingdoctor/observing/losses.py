"""Which loss function a loop calls, and with what."""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.measure.batches import Batch, split_batch, tensors
from trainingdoctor.measure.divergence import DivergenceInput, divergence_of
from trainingdoctor.observing.calls import CriterionCall, reduction
from trainingdoctor.observing.chains import Calls, continued
from trainingdoctor.observing.mixing import Mixing
from trainingdoctor.observing.samples import Samples

# Calls of criteria before a backward().
NEWEST = 8

InnerCall = tuple[Callable[..., Any], Any, Any, Any]


def targets_in(raw: Any) -> Any:
    """The targets in what a loader gave."""
    return None if raw is None else split_batch(raw).targets


class Losses:
    """The criterion that a loop calls on its model's output, and the samples that it does so with.

    last_call: the newest model call: model, arguments, output.  earlier: the one before that of the same model, without keeping its
    output alive: some loops run validation data between the training's call and its loss.  value: of the criterion's newest call.  uniform: all
    targets of a batch were the same, each time.  relabelled: the loop changes the class numbers of its loader.  kept: a batch's
    targets came into the loss in the loader's order, and not by chance; then nothing is compared any more.  moved: batches whose
    targets came in another one, with the inputs in the loader's.  seen_kept, seen_moved: the targets that did so last.
    calls: the newest model call, behind those whose outputs it was given.  models: those whose last one the criterion is called on.
    in_source: the criterion is no function of torch, and was found in the user's code.  divergence: of the first call of kl_div, beside
    another criterion, too.  results: of the newest calls.  settled: backward() was called on what the criterion gave.
    """

    def __init__(self) -> None:
        self.samples = Samples()
        self.criterion: CriterionCall | None = None
        self.last_call: tuple[nn.Module, Any, Any] | None = None
        self.earlier: tuple[nn.Module, Any, Callable[[], Any]] | None = None
        self.inner: InnerCall | None = None
        self.value: float | None = None
        self.unreduced: Tensor | None = None
        self.uniform, self.relabelled, self.in_source = True, False, False
        self.kept, self.moved = False, 0
        self.mixing = Mixing()
        self.divergence: DivergenceInput | None = None
        self.seen_kept: Tensor | None = None
        self.seen_moved: Tensor | None = None
        self.calls: Calls = ()
        self.models: tuple[nn.Module, ...] = ()
        self.results: deque[tuple[Callable[[], Any], CriterionCall]] = deque(maxlen=NEWEST)
        self.settled = False

    def on_call(self, model: nn.Module, given: Any, output: Any) -> None:
        """A model has run."""
        last, self.earlier = self.last_call, None
        if last is not None and last[0] is model and isinstance(last[2], Tensor) and not _has_graph(last[1]):
            self.earlier = (*last[:2], weakref.ref(last[2]))
        self.calls = continued(self.calls, None if last is None else last[2], model, given)
        self.last_call = (model, given, output)

    def on_inner(self, function: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> None:
        """A loss function ran inside of a model, which may give its result as its own loss."""
        self.inner = (function, args, kwargs, result)

    def own_of(self, output: Any) -> InnerCall | None:
        """The loss that a model gives: those of Hugging Face under its name, others as (logits, loss). It is asked for once."""
        inner, self.inner = self.inner, None
        if inner is None:
            return None
        named = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
        given = [named] if isinstance(named, Tensor) else tensors(output) if isinstance(output, tuple) else ()
        return inner if any(own.requires_grad and torch.equal(own, inner[-1]) for own in given) else None

    def on_criterion(self, function: Callable[..., Any], args: Any, kwargs: Any, result: Any, raw: Any) -> None:
        """A loss function ran outside of any model. raw: the loader's newest batch."""
        if self.last_call is None or not isinstance(result, Tensor):
            return
        self._keep_divergence(function, args, kwargs)
        meant = self._meant(args)
        model, given, output = meant or self.last_call
        calls = self.calls if meant is None else ((model, given),)
        call = CriterionCall.of(function, args, kwargs, output)
        if call is None:
            return
        training = torch.is_grad_enabled() and result.requires_grad
        self._compare(call.target, targets_in(raw))
        if training and raw is not None:
            batch = split_batch(raw)
            self.mixing.add(call.target, batch.targets, batch.inputs, calls[0][1])
            if not self.kept:
                self._compare_order(call.target, batch, calls[0][1])
        self.uniform = self.uniform and _is_uniform(call.target)
        if training:
            self.results.append((weakref.ref(result), call))
        other = self.settled and not call.is_like(self.criterion)
        if training and not other and call.replaces(self.criterion):
            given_to = {id(m): g for m, g in (calls[0], (model, given))}
            if call.is_first_of_classes(self.criterion):
                for known in given_to:
                    self.samples.forget("training", known)
            self.criterion, self.models = call, tuple(m for m, _ in calls)
            self.unreduced = result.detach() if result.numel() > 1 else None
            self.value = float(result.detach().mean()) if result.numel() and not call.picked else None
            for known, arguments in given_to.items():
                self.samples.keep("training", known, arguments, call.target, whole=call.picked)

    def on_backward(self, loss: Any) -> None:
        """backward() is about to run: of several losses the one that it is called on is the criterion's, the others are for a log."""
        meant = next((call for result, call in self.results if loss is not None and result() is loss), None)
        if meant is not None and not (self.settled and meant.is_like(self.criterion)):
            self.settled, self.criterion, self.unreduced = True, meant, None
        if meant is not None:
            self.value = None if meant.picked else float(loss.detach().mean())

    def _keep_divergence(self, function: Any, args: Any, kwargs: Any) -> None:
        first = args[0] if args else kwargs.get("input")
        if self.divergence is not None or not torch.is_grad_enabled() or not isinstance(first, Tensor):
            return
        if (getattr(function, "__name__", "") == "kl_div" or isinstance(function, nn.KLDivLoss)) and first.numel():
            self.divergence = divergence_of(first.detach().float())

    @property
    def evidence(self) -> dict[str, Any]:
        """What was seen of the losses, by its name."""
        return {} if self.divergence is None else {"divergence_input": self.divergence}

    @property
    def earlier_output(self) -> Any:
        """What the earlier call gave, while the loop holds it; else None."""
        return self.earlier[2]() if self.earlier is not None else None

    def _meant(self, args: Any) -> tuple[nn.Module, Any, Any] | None:
        """The earlier call, where a loss is of the very tensor that it gave."""
        output = self.earlier_output
        if self.earlier is None or output is None or not any(a is output for a in args):
            return None
        return (*self.earlier[:2], output)

    def reduced(self, loss: float) -> None:
        """A criterion that gives a loss for each sample is examined with what the loop makes of these, or not at all."""
        if self.unreduced is not None and self.criterion is not None:
            by = reduction(self.unreduced, loss)
            self.criterion = None if by is None else replace(self.criterion, reduced=by)
            self.unreduced = None

    def _compare(self, target: Any, given: Any) -> None:
        """Whether the loop changes the class numbers of its loader: then only it can count what is right."""
        if isinstance(target, Tensor) and isinstance(given, Tensor) and target.shape == given.shape:
            self.relabelled = self.relabelled or not torch.equal(target.to(given), given)

    def _compare_order(self, target: Any, batch: Batch, given: Any) -> None:
        """Whether the targets came in their own order, or in another one while the inputs did not."""
        known = batch.targets
        if not _is_listed(target) or not _is_listed(known) or len(target) != len(known):
            return
        target, known = target.cpu(), known.cpu()
        if torch.equal(target, known):
            # A batch of few may keep its order by chance; one that does both mixes two losses, as mixup does.
            self.kept = _tells_order(known) or self.seen_moved is batch.targets
            self.seen_kept = batch.targets
        elif torch.equal(target.sort().values, known.sort().values) and same_first(given, batch.inputs):
            self.kept = self.seen_kept is batch.targets
            self.moved += self.seen_moved is not batch.targets
            self.seen_moved = batch.targets

    @property
    def reordered(self) -> int:
        """Batches whose targets were moved, where all were."""
        return 0 if self.kept else self.moved


def _has_graph(given: Any) -> bool:
    """Whether keeping these arguments would keep a graph alive, such as that of a recurrent net's state."""
    return any(t.requires_grad for t in tensors(list(given)))


def _is_listed(targets: Any) -> bool:
    return isinstance(targets, Tensor) and targets.ndim == 1 and not targets.is_floating_point()


def _tells_order(targets: Tensor, chance: float = 1e-3) -> bool:
    """Whether another order of these targets would hardly ever look the same."""
    counts = targets.unique(return_counts=True)[1].double()
    same = torch.lgamma(counts + 1).sum() - math.lgamma(len(targets) + 1)
    return bool(same < math.log(chance))


def same_first(one: Any, other: Any) -> bool:
    """Whether the first tensors hold the same numbers, whatever their form."""
    a, b = next(tensors(one), None), next(tensors(other), None)
    if a is None or b is None or a.numel() != b.numel():
        return False
    return torch.equal(a.detach().cpu().flatten(), b.detach().cpu().flatten().to(a.dtype))


def _is_uniform(target: Any) -> bool:
    """Whether several samples have one and the same target."""
    return isinstance(target, Tensor) and target.numel() > 1 and bool((target == target.flatten()[0]).all())
