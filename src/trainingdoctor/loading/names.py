"""From module-level names to a `Training`: the documented names, their common synonyms, then types."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.utils.data import DataLoader

from trainingdoctor.errors import UserError
from trainingdoctor.registry import did_you_mean
from trainingdoctor.training import Training

# In order of precedence; matched without regard to case.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "model": ("model", "net", "network", "classifier", "model_ft"),
    "train_loader": ("train_loader", "trainloader", "train_dataloader", "train_dl", "loader_train", "dataloader_train",
                     "train_data_loader", "training_loader", "train_iter", "train_batches"),
    "val_loader": ("val_loader", "valloader", "valid_loader", "validation_loader", "test_loader", "testloader", "val_dataloader",
                   "valid_dataloader", "test_dataloader", "eval_loader", "eval_dataloader", "val_dl", "valid_dl", "test_dl",
                   "loader_val", "loader_test", "dev_loader", "test_iter", "val_iter"),
    "criterion": ("criterion", "loss_fn", "loss_func", "loss_function", "loss_fun", "objective", "lossfn", "crit", "loss"),
    "optimizer": ("optimizer", "optimizers", "opt", "optim", "optimiser"),
    "scheduler": ("scheduler", "schedulers", "lr_scheduler", "sched", "lr_sched", "scheduler_lr", "lr_schedule"),
    "epochs": ("epochs", "num_epochs", "n_epochs", "max_epochs", "epoch_count", "nb_epochs", "total_epochs", "epoch_num"),
    "scheduler_interval": ("scheduler_interval", "sched_interval", "lr_interval"),
    "device": ("device",),
    "num_classes": ("num_classes", "n_classes", "nclasses", "nb_classes", "classes_count"),
    "target_accuracy": ("target_accuracy", "target_acc"),
    "amp": ("amp", "use_amp", "amp_dtype"),
    "grad_clip": ("grad_clip", "clip_grad", "max_grad_norm", "clip_grad_norm", "gradient_clip_val", "grad_clip_norm", "max_norm"),
    "augment_on_device": ("augment_on_device", "gpu_augment", "device_augment", "batch_augment"),
}  # fmt: skip


def training_from(names: Mapping[str, Any], source: str) -> Training:
    """The training that module-level `names` describe.

    An object under an unknown name counts when it is the only one of its type. Raises UserError when there is no model
    or a name holds something of the wrong type.
    """
    public = {k: v for k, v in names.items() if not k.startswith("_") and not inspect.ismodule(v)}
    found: dict[str, Any] = {}
    for field, synonyms in SYNONYMS.items():
        value = _first(public, synonyms, VALID[field])
        value = _only_one(public, field, found) if value is None and field in KINDS else value
        if value is not None:
            found[field] = value
    _require_model(found, public, source)
    _require_types(found, public, source)
    if found.get("amp") is False:
        found.pop("amp")
    return Training(**found, name=source)


def _first(names: Mapping[str, Any], synonyms: tuple[str, ...], valid: Callable[[Any], bool]) -> Any:
    """The value under the field's own name whatever it is (its type is judged later), or under a synonym if it fits."""
    lower = {name.lower(): value for name, value in names.items()}
    own = lower.get(synonyms[0])
    if own is not None:
        return own
    return next((lower[s] for s in synonyms[1:] if s in lower and lower[s] is not None and valid(lower[s])), None)


def is_scheduler(value: Any) -> bool:
    """torch's schedulers, and home-made ones: an object with `step` that is neither optimizer nor module."""
    if isinstance(value, LRScheduler | ReduceLROnPlateau):
        return True
    is_other = isinstance(value, type | Optimizer | nn.Module)
    return not is_other and callable(getattr(value, "step", None)) and not callable(getattr(value, "zero_grad", None))


def _is_loss(value: Any) -> bool:
    return isinstance(value, nn.modules.loss._Loss)


def _is_model(value: Any) -> bool:
    return isinstance(value, nn.Module) and not _is_loss(value)


def _is_optimizer(value: Any) -> bool:
    return isinstance(value, Optimizer)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _several(valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def each(value: Any) -> bool:
        values = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else [value]
        return bool(values) and all(valid(v) for v in values)

    return each


def _is_loader(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(
        value, str | bytes | Mapping | torch.Tensor | nn.Module | type
    )


# Types by which an object under an unknown name is recognised, when it is the only one.
KINDS: Mapping[str, Callable[[Any], bool]] = {
    "model": _is_model,
    "train_loader": lambda v: isinstance(v, DataLoader),
    "criterion": _is_loss,
    "optimizer": _is_optimizer,
    "scheduler": lambda v: isinstance(v, LRScheduler | ReduceLROnPlateau),
}

VALID: Mapping[str, Callable[[Any], bool]] = {
    "model": _is_model,
    "train_loader": _is_loader,
    "val_loader": _is_loader,
    "criterion": lambda v: callable(v) and not isinstance(v, type),
    "optimizer": _several(lambda v: _is_optimizer(v) or (hasattr(v, "param_groups") and hasattr(v, "step"))),
    "scheduler": _several(is_scheduler),
    "epochs": _is_number,
    "scheduler_interval": lambda v: v in ("epoch", "step"),
    "device": lambda v: isinstance(v, str | int | torch.device),
    "num_classes": _is_number,
    "target_accuracy": _is_number,
    "amp": lambda v: isinstance(v, bool | torch.dtype),
    "grad_clip": _is_number,
    "augment_on_device": callable,
}

WANTED: Mapping[str, str] = {
    "model": "a torch.nn.Module",
    "train_loader": "a DataLoader or another iterable of batches",
    "val_loader": "a DataLoader or another iterable of batches",
    "criterion": "a callable (an instance, as in nn.CrossEntropyLoss(), not the class)",
    "optimizer": "a torch optimizer or a list of them",
    "scheduler": "an object with step(), or a list of them",
    "epochs": "a number",
    "scheduler_interval": '"epoch" or "step"',
    "device": "a torch.device or its name",
    "num_classes": "a number",
    "target_accuracy": "a number (percent)",
    "amp": "True, False or a torch.dtype",
    "grad_clip": "a number (the largest gradient norm)",
    "augment_on_device": "a callable",
}


def _only_one(names: Mapping[str, Any], field: str, found: Mapping[str, Any]) -> Any:
    taken = {id(v) for v in found.values()}
    known = {s for key, synonyms in SYNONYMS.items() if key != field for s in synonyms}
    fitting = {id(v): v for k, v in names.items() if KINDS[field](v) and id(v) not in taken and k.lower() not in known}
    return next(iter(fitting.values())) if len(fitting) == 1 else None


def _require_model(found: Mapping[str, Any], names: Mapping[str, Any], source: str) -> None:
    if "model" in found:
        return
    models = [k for k, v in names.items() if _is_model(v)]
    if models:
        raise UserError(
            f"{source} holds several modules ({', '.join(models)}) and none is called `model`: name the one to examine"
        )
    hint = (
        did_you_mean("model", names)
        or " Build it at module level, or return a trainingdoctor.Training from training()."
    )
    raise UserError(f"{source} has no `model`.{hint}")


def _require_types(found: Mapping[str, Any], names: Mapping[str, Any], source: str) -> None:
    for field, value in found.items():
        if not VALID[field](value):
            raise UserError(f"{source}: {field} must be {WANTED[field]}, not {_described(value)}")


def _described(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"{type(value).__name__} {value!r}"[:60] if isinstance(value, str | int | float) else type(value).__name__
