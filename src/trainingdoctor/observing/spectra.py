"""Estimates of spectral normalization in evaluations that come before any training."""

from __future__ import annotations

from torch import nn

from trainingdoctor.measure.spectral import estimates
from trainingdoctor.observing.passes import Pass
from trainingdoctor.observing.places import users_place
from trainingdoctor.observing.ranks import unwrapped
from trainingdoctor.observing.seen import SpectralSeen


class Spectra:
    """Looks at each model until it has run in training mode: before that, nothing renews the estimates that it uses."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[SpectralSeen, ...]] = {}

    def on_forward(self, model: nn.Module, within: Pass | None) -> None:
        """A model is about to run."""
        model = unwrapped(model)
        if id(model) in self._seen:
            return
        if model.training:
            self._seen[id(model)] = ()
        elif within is not None and _evaluates(within):
            where = users_place(4)
            self._seen[id(model)] = tuple(
                SpectralSeen(e.name, e.norm(), where) for e in estimates(model) if not e.module.training
            )

    def of(self, model: nn.Module) -> tuple[SpectralSeen, ...]:
        """Its layers, where it was evaluated first."""
        return self._seen.get(id(model), ())


def _evaluates(within: Pass) -> bool:
    """One batch alone is what is shown to a summary of the layers, or a count of operations."""
    return min(within.eval_mode, within.batches) > 1 or within.length == 1
