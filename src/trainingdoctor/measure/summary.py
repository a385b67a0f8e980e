"""What was examined, and where, in plain numbers and strings: the report's header. Needs no torch to import."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from trainingdoctor.errors import UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.calling import user_code


@evidence()
def environment_facts(environment: Any) -> dict[str, Any]:
    """The environment as nested dictionaries."""
    return asdict(environment)


@evidence(
    optional=(
        "model",
        "train_loader",
        "val_loader",
        "criterion",
        "optimizer",
        "scheduler",
        "epochs",
        "scheduler_interval",
    )
)
def training_summary(
    model: Any,
    train_loader: Any,
    val_loader: Any,
    criterion: Any,
    optimizer: Any,
    scheduler: Any,
    epochs: int | None,
    scheduler_interval: str | None,
) -> dict[str, Any]:
    """Model, loaders, optimizer and schedule in a few words each; what is absent is left out."""
    summary = {
        "model": _model(model),
        "train_loader": _loader(train_loader),
        "val_loader": _loader(val_loader),
        "criterion": _named(criterion),
        "optimizer": [_optimizer(o) for o in _several(optimizer)] or None,
        "scheduler": [_named(s) for s in _several(scheduler)] or None,
        "scheduler_interval": scheduler_interval if scheduler is not None else None,
        "epochs": epochs,
    }
    return {key: value for key, value in summary.items() if value is not None}


def _named(value: Any) -> str | None:
    if value is None:
        return None
    return value.__name__ if hasattr(value, "__name__") else type(value).__name__


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value.values() if isinstance(value, Mapping) else value) if isinstance(value, Iterable) else [value]


def _model(model: Any) -> dict[str, Any] | None:
    if model is None:
        return None
    from trainingdoctor.measure.layers import model_name

    parameters = list(model.parameters())
    return {
        "class": model_name(model),
        "parameters": sum(p.numel() for p in parameters),
        "trainable": sum(p.numel() for p in parameters if p.requires_grad),
        "device": str(parameters[0].device) if parameters else "cpu",
    }


def _loader(loader: Any) -> dict[str, Any] | None:
    if loader is None:
        return None
    facts = {
        "class": type(loader).__name__,
        "batches": _length(loader),
        "batch_size": getattr(loader, "batch_size", None),
        "samples": _length(getattr(loader, "dataset", None)),
        "workers": getattr(loader, "num_workers", None),
    }
    return {key: value for key, value in facts.items() if value is not None}


def _length(value: Any) -> int | None:
    if not hasattr(type(value), "__len__"):
        return None
    try:
        with user_code("len()"):
            return len(value)
    except UserCodeError:
        return None


def _optimizer(optimizer: Any) -> dict[str, Any]:
    """The numbers of the group that holds most: biases and norms, with a rate or decay of their own, often come first."""
    groups = getattr(optimizer, "param_groups", None) or [{}]
    told = max(groups, key=lambda group: sum(p.numel() for p in group.get("params", ()) if p.requires_grad))
    keys = ("lr", "momentum", "nesterov", "betas", "eps", "weight_decay")
    numbers = {key: told[key] for key in keys if told.get(key) is not None}
    return {"class": type(optimizer).__name__, "param_groups": len(groups), **numbers}
