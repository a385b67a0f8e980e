"""Everything that was seen of a loop by now."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainingdoctor.errors import UserCodeError
from trainingdoctor.measure.schedule import steps_per_epoch
from trainingdoctor.observing.afterwards import UsedLater
from trainingdoctor.observing.averages import Averages, counterpart
from trainingdoctor.observing.chains import Chained
from trainingdoctor.observing.clipping import Clipping
from trainingdoctor.observing.graphs import Graphs
from trainingdoctor.observing.limits import Clock, Limits
from trainingdoctor.observing.loaded import Loaded
from trainingdoctor.observing.losses import Losses
from trainingdoctor.observing.nonfinite import Nonfinite
from trainingdoctor.observing.passes import Pass
from trainingdoctor.observing.penalties import Penalties
from trainingdoctor.observing.ranks import Ranks, unwrapped
from trainingdoctor.observing.reloaded import Reloaded
from trainingdoctor.observing.seen import AnswersSeen, BroadcastSeen, TeacherSeen, TermsSeen
from trainingdoctor.observing.setters import Setter
from trainingdoctor.observing.slices import Slices
from trainingdoctor.observing.spectra import Spectra
from trainingdoctor.observing.starts import Start
from trainingdoctor.observing.teachers import Teachers
from trainingdoctor.observing.ticks import Schedulers
from trainingdoctor.observing.timeline import Timeline
from trainingdoctor.observing.watch import OptimizerWatch
from trainingdoctor.observing.within import Reach

# Steps on one batch that are no few tries of it.
MANY = 10


class Record:
    """What was seen, and what follows from it.

    leave: takes the hooks away.  swallowed: called where the script catches the signal to stop, time and again.
    beside: what runs now, or ran last, holds nothing that an optimizer does.  forked: file:line of an os.fork() whose child is not followed.
    notes: how the script is run, for people.  outdated: what raises in this version of torch, and was read otherwise.
    said: what was printed last.  chained: models that are called one after the other, as one, once that is known.
    broadcast, terms: in the loss, as first seen.  width: of the predictions, one row for each sample.
    stops: end passes early, and raise `Enough` where all has been seen; else `on_enough` is called there, once.
    """

    def __init__(self, limits: Limits | None = None, stops: bool = True) -> None:
        self.limits, self.stops = limits or Limits(), stops
        self.clock = Clock()
        self.passes: list[Pass] = []
        self.current: Pass | None = None
        self.starts: list[Start] = []
        self.setter: Setter | None = None
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
        self.losses = Losses()
        self.chained: Chained | None = None
        self.clipping, self.graphs, self.timeline, self.spectra = Clipping(), Graphs(), Timeline(), Spectra()
        self.teachers, self.averages, self.penalties, self.reach = Teachers(), Averages(), Penalties(), Reach()
        self.slices, self.nonfinite = Slices(), Nonfinite()
        self.loaded, self.reloaded = Loaded(), Reloaded()
        self.width: int | None = None
        self.broadcast: BroadcastSeen | None = None
        self.terms: TermsSeen | None = None
        self.epoch_loop = ""
        self.idle = self.epoch = self.epochs = self.backwards = self.built_count = self.raised = 0
        self.leave: Callable[[], object] = lambda: None
        self.swallowed: Callable[[], object] = lambda: None
        self.on_enough: Callable[[], object] = lambda: None
        self.backward_at = self.saves_best = self.forked = self.said = ""
        self.loss_value: float | None = None
        self.amp: torch.dtype | None = None
        self.later: tuple[UsedLater, ...] = ()
        self.again: tuple[str, ...] = ()
        self.notes: list[str] = []
        self.outdated: list[UserCodeError] = []
        self.cut = self.emptied = self.full = self.closing = self.beside = False

    def _number(self, loader: Any) -> int:
        for i, known in enumerate(self.loaders):
            if known is loader:
                return i
        self.loaders.append(loader)
        return len(self.loaders) - 1

    def _evaluated(self) -> bool:
        trained = next((i for i, p in enumerate(self.passes) if p.kind == "training"), len(self.passes))
        return any(p.kind == "evaluation" and p.batches for p in self.passes[trained:])

    @property
    def _held(self) -> frozenset[int]:
        """Identities of the parameters that optimizers hold, those that have not stepped yet among them."""
        optimizers = [*self.built, *(w.optimizer for w in self.optimizers)]
        return frozenset(id(p) for o in optimizers for g in getattr(o, "param_groups", ()) for p in g["params"])

    def bystanders(self) -> tuple[TeacherSeen, ...]:
        """Models in train mode that nobody trains."""
        return self.teachers.seen(self._held, self._starts())

    def answers(self) -> tuple[AnswersSeen, ...]:
        """What models that nobody trains said of the classes."""
        return self.teachers.answers(self._held, self._starts(), self.width)

    def _starts(self) -> list[dict[str, Any]]:
        """The first state of each model that trains."""
        held = self._held
        return [s for i, s in self.initial.items() if any(id(p) in held for p in self.models[i].parameters())]

    def _is_trained(self, model: nn.Module) -> bool:
        """Whether an optimizer that was seen holds some of it; every model until one was seen. No teacher, no average."""
        return not self.optimizers or any(w.model is model for w in self.optimizers)

    def _is_in_its_place(self, model: nn.Module, now: Pass) -> bool:
        """Whether an average, or another copy, is evaluated in the trained model's place."""
        # In train mode it may be that its statistics are taken anew, as by torch's update_bn().
        looks = not model.training and not torch.is_grad_enabled() and self.kinds.get(now.number) != "training"
        return looks and counterpart(unwrapped(model), self.optimizers) is not None

    def _is_late(self) -> bool:
        return self.clock.seconds > self.limits.total and bool(self.optimizers)

    @property
    def one_batch_each(self) -> bool:
        """Whether all passes that train took one of several batches, as next(iter(loader)) in each step does: these are no epochs."""
        trained = [p for p in self.passes if p.kind == "training" and p.batches]
        lengths = [steps_per_epoch(p.loader) or 0 for p in trained[:1]]
        return len(trained) > 1 and not self.cut and lengths[0] > 1 and all(p.batches == 1 for p in trained)

    @property
    def on_one_batch(self) -> int:
        """Steps on the only batch that a loop took from a loader of several, whose iterator it then let go; 0 where there are few."""
        trained = [p for p in self.passes if p.kind == "training" and p.batches]
        alone = len(trained) == 1 and trained[0].batches == 1 and (trained[0].length or 0) > 1 and not trained[0].ended
        return trained[0].steps if alone and trained[0].steps >= MANY and trained[0].iterator() is None else 0

    @property
    def steps(self) -> int:
        """Of all optimizers, so far."""
        return sum(len(w.steps) for w in self.optimizers)
