"""Freezing: attempts that freeze nothing, and an optimizer that holds only what is frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Verdicts, check, critical, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.freezing import VainFreeze
    from trainingdoctor.measure.optimizers import Ownership

DOCS = "PyTorch documentation, torch.nn.Module.requires_grad_"


@check("model.freeze_without_effect", references=(DOCS,))
def freeze_without_effect(vain_freezes: tuple[VainFreeze, ...]) -> Verdicts:
    """Parameters that were meant to be frozen still train.

    What it does: finds requires_grad = False set on a module, where it is only an attribute, and misspelt names such
    as require_grad on parameters, while the parameters still have requires_grad True.
    Why it costs accuracy: a pretrained layer that should stay is overwritten in the first steps.
    Remedy: module.requires_grad_(False), before the optimizer is created.
    Thresholds: none; at least one parameter that it was meant for must be trainable.
    Measured: no measurement yet.
    """
    found = [v for v in vain_freezes if v.numbers]
    if found:
        first = found[0]
        what = "is only an attribute of the module" if first.on_module else "is no attribute that torch knows"
        yield warning(
            f"{first.where}.{first.attribute} = False {what}: {max(v.numbers for v in found):,} numbers that it was meant to freeze train on.",
            f"{first.where}.requires_grad_(False)",
            where=tuple(f"{v.where}.{v.attribute}" for v in found),
            numbers=max(v.numbers for v in found),
        )


@check(
    "optimizer.frozen_parameters",
    explains=(
        "optimizer.missing_parameters",
        "model.frozen",
        "loss.not_learning",
        "lr.*",
        "schedule.*",
        "training.raises",
    ),
)
def frozen_parameters(ownership: Ownership) -> Verdicts:
    """The optimizer holds only frozen parameters, while what is trainable is in no optimizer.

    What it does: compares the parameters that the optimizers hold with requires_grad, by identity.
    Why it costs accuracy: nothing changes: what is stepped gets no gradient, and what gets one is not stepped.
    Remedy: torch.optim.SGD([p for p in model.parameters() if p.requires_grad], ...), after freezing.
    Thresholds: nothing of what the optimizers hold is trainable. An optimizer with all parameters, frozen ones among
    them, is healthy: they get no gradient and stay. A model that is frozen as a whole is model.frozen's.
    Measured: no measurement yet.
    """
    o = ownership
    if o.frozen and o.trainable and o.held - o.frozen_count - o.foreign <= 0:
        yield critical(
            f"All {o.frozen_count:,} numbers of the model that the optimizer holds are frozen, and the {o.trainable:,} trainable ones are "
            "in no optimizer: nothing will change.",
            "torch.optim.SGD([p for p in model.parameters() if p.requires_grad], ...); and unfreeze what should learn",
            where=("optimizer", *o.frozen[:3]),
            frozen=o.frozen_count,
            trainable=o.trainable,
        )


CHECKS = (freeze_without_effect, frozen_parameters)
