"""From what was recorded to what is diagnosed: the `Training`, the loop's trace, and the batches as they were seen."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.carried import release_all
from trainingdoctor.measure.schedule import ScheduleTrace, steps_per_epoch
from trainingdoctor.observing.accuracy import accuracy_seen
from trainingdoctor.observing.by_hand import rate_written_at, rates_set_elsewhere, stepped_later
from trainingdoctor.observing.calls import Followed
from trainingdoctor.observing.chains import Chained, trained_as_one
from trainingdoctor.observing.loaders import described, later_loader, loader_of
from trainingdoctor.observing.ranks import unwrapped
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.replay import schedule_of
from trainingdoctor.observing.single import right_reading
from trainingdoctor.observing.starts import repeated
from trainingdoctor.observing.teachers import is_sensitive
from trainingdoctor.observing.ticks import driven, twins
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.training import Training

# What there is only with a DataLoader.
OF_LOADERS = ("train_loader", "val_loader", "epochs")


def rewound(recorder: Recorder) -> None:
    """Put model, optimizers and schedulers back as they were before the first step."""
    # A step may be made under no_grad(), and the state that it was taken in comes back with all else.
    gradients = torch.is_grad_enabled()
    for snapshot in [w.snapshot for w in recorder.optimizers] + [w.snapshot for w in recorder.schedulers.watched]:
        snapshot.restore()
    torch.set_grad_enabled(gradients)
    for identity, state in recorder.initial.items():
        recorder.models[identity].load_state_dict(state)
    for layer, momentum in recorder.momenta:
        # Loops that call the model twice in a step, as for SAM, set it to 0 in between.
        layer.momentum = momentum
    for model in recorder.models.values():
        model.zero_grad(set_to_none=True)
        release_all(model)
        with suppress(UserCodeError):  # said by the checks that switch modes
            set_mode(model, True)


def assembled(recorder: Recorder, script: Path) -> tuple[Training, dict[str, Any]]:
    """The training, and the evidence that was gathered on the way, by name."""
    model = main_model(recorder)
    latest = _latest(recorder, model)
    within = _per_step(recorder)
    call = recorder.losses.criterion
    trace = traced(recorder)
    if any(not s.ticks for s in trace.schedulers):
        trace = replace(trace, stepped_later=stepped_later(script), rate_by_hand=rate_written_at(script, surely=True))
    examined = model
    if model is not None and call is not None and call.is_followed:
        examined = Followed(model, call.between, call.part)
        trace = replace(trace, spectral=tuple(replace(s, name=f"model.{s.name}") for s in trace.spectral))
    known: dict[str, Any] = {"loop_trace": trace, **recorder.losses.evidence}
    if model is not None:
        # A model that gets something else than its loader gives cannot be given what is drawn from that.
        for kind, evidence in (
            ("rearranged", "train_batches"),
            ("training", "train_batches"),
            ("evaluation", "val_batches"),
        ):
            if batches := recorder.losses.samples.of(kind, _called(recorder, model)):
                known[evidence] = batches
    if "train_batches" in known and recorder.optimizers and not recorder.passes:
        # It was seen how this loop comes by its batches: what is to be said of loaders and their epochs is nothing for it.
        known.update(dict.fromkeys(OF_LOADERS, Unavailable(f"{script.name} trains without a DataLoader")))
    if recorder.losses.relabelled and recorder.losses.uniform:
        known["augmentation_pairs"] = Unavailable(
            "each batch gets one target for all its samples, as real or generated: no classes are learned by heart"
        )
    if (schedule := _schedule(recorder, trace, latest, script)) is not None:
        known["schedule_trace"] = schedule
    schedulers = [w.scheduler for w in recorder.schedulers.watched if driven(w.scheduler) in latest]
    clip = recorder.clipping.seen()
    training = Training(
        model=examined,
        train_loader=loader_of(recorder, "training"),
        val_loader=loader_of(recorder, "evaluation"),
        criterion=call.criterion() if call else None,
        optimizer=_one(latest),
        scheduler=_one(schedulers),
        epochs=_epochs(recorder),
        scheduler_interval="step" if within else "epoch",
        amp=recorder.amp,
        grad_clip=clip.limit if clip else None,
        name=script.name,
    )
    return training, known


def main_model(recorder: Recorder) -> nn.Module | None:
    """The module that the loop called most often under gradients, of several the criterion's; those that one optimizer trains as one."""
    models = recorder.losses.models
    if trained_as_one(models, recorder.optimizers):
        recorder.chained = recorder.chained or Chained(models)
        return recorder.chained
    last = id(models[-1]) if models else None
    best = max(recorder.used, key=lambda i: (recorder.used[i], i == last), default=None)
    return None if best is None else unwrapped(recorder.models[best])


def _called(recorder: Recorder, model: nn.Module) -> int:
    """The identity of what the loop calls: the model, or its wrapper, or the first of several."""
    if isinstance(model, Chained):
        return id(model.first)
    return next((i for i, m in recorder.models.items() if m is not model and unwrapped(m) is model), id(model))


def _latest(recorder: Recorder, model: nn.Module | None) -> list[Optimizer]:
    """The optimizers that train some of this model, the last of those that hold the same: a loop may make one each epoch.

    All of them where no model was called, but its layers by themselves.
    """
    mine = frozenset() if model is None else frozenset(map(id, model.parameters()))
    return list({w.held: w.optimizer for w in recorder.optimizers if model is None or w.held & mine}.values())


def _epochs(recorder: Recorder) -> int | None:
    return None if recorder.one_batch_each else recorder.epochs or None


def _one(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else found or None


def _per_step(recorder: Recorder) -> bool:
    return any(w.within > w.ticks / 2 for w in recorder.schedulers.watched)


def _schedule(
    recorder: Recorder, trace: LoopTrace, latest: list[Optimizer], script: Path
) -> ScheduleTrace | Unavailable | None:
    """The schedule where no scheduler of torch alone makes it, or why it is not known; None where one does."""
    if _take_turns(recorder):
        return Unavailable("several schedulers are stepped at different times on one optimizer, which is not simulated")
    elsewhere = _rates_elsewhere(recorder, trace, script)
    return (_set_by_loop(recorder, latest) or Unavailable(elsewhere)) if elsewhere else None


def _rates_elsewhere(recorder: Recorder, trace: LoopTrace, script: Path) -> str:
    """What sets the rates in place of the schedulers of torch, for people; "" where nothing does."""
    if not trace.schedulers:
        return rates_set_elsewhere(script, recorder.optimizers)
    by_hand = trace.rate_by_hand if not any(s.ticks for s in trace.schedulers) else ""
    return f"the loop sets the learning rate by hand ({by_hand})" if by_hand else ""


def _set_by_loop(recorder: Recorder, latest: list[Optimizer]) -> ScheduleTrace | None:
    """The schedule that the loop makes by itself, where nothing else sets rates. Not replayed in a process whose training goes on."""
    setter = recorder.setter if recorder.stops else None
    if setter is None or recorder.schedulers.watched or [id(o) for o in latest] != [id(setter.optimizer)]:
        return None
    watch = next(w for w in recorder.optimizers if w.optimizer is setter.optimizer)
    return schedule_of(setter, watch.steps, steps_per_epoch(loader_of(recorder, "training")))


def _take_turns(recorder: Recorder) -> bool:
    """Whether two schedulers drive one optimizer, one of them within epochs: a warm-up by batch before a decay by epoch."""
    watched = recorder.schedulers.watched
    return any(
        driven(a.scheduler) is driven(b.scheduler) and (a.within > 0) != (b.within > 0)
        for i, a in enumerate(watched)
        for b in watched[:i]
    )


def traced(recorder: Recorder) -> LoopTrace:
    """The records."""
    sets: list[frozenset[int]] = []
    datasets: list[Any] = []
    model = main_model(recorder)
    clip = recorder.clipping.seen()
    later = later_loader(recorder)
    return LoopTrace(
        steps=tuple(s for w in recorder.optimizers for s in w.steps),
        passes=tuple(p.seen() for p in recorder.passes if p.batches),
        loaders=tuple(described(loader, datasets) for loader in recorder.loaders),
        optimizers=tuple(w.seen(sets) for w in recorder.optimizers),
        schedulers=tuple(w.seen() for w in recorder.schedulers.watched),
        clips=(clip,) if clip else (),
        sensitive=model is not None and is_sensitive(model),
        backwards=recorder.backwards,
        built=recorder.built_count,
        epochs=_epochs(recorder),
        backward_at=recorder.backward_at,
        saves_best=recorder.saves_best,
        epoch_loop=recorder.epoch_loop,
        evaluates_later=later.where if later else "",
        distributed=recorder.ranks.seen(recorder.kinds),
        accuracy=None
        if recorder.losses.relabelled
        else accuracy_seen(recorder.passes, right_reading(recorder.losses.criterion)),
        moments=recorder.timeline.seen(recorder.passes),
        spectral=() if model is None else recorder.spectra.of(model),
        teachers=recorder.bystanders(),
        answers=recorder.answers(),
        loaded=recorder.loaded.seen,
        reloaded=recorder.reloaded.seen,
        on_one_batch=recorder.on_one_batch,
        average=recorder.averages.seen(),
        reordered=recorder.losses.reordered,
        unmixed=recorder.losses.mixing.unmixed,
        reseeded=repeated(recorder.starts, recorder.kinds),
        mixed_wrongly=recorder.losses.mixing.swapped,
        penalty=recorder.penalties.decay,
        slices=None if recorder.passes else recorder.slices.record(),
        unfed=0 if recorder.averages.plain else recorder.averages.unfed,
        nonfinite=recorder.nonfinite.seen,
        broadcast=recorder.broadcast,
        terms=recorder.terms,
        twins=twins(recorder.schedulers.watched, [w.optimizer for w in recorder.optimizers]),
    )
