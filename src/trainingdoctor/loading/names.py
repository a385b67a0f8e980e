"""From module-level names to a `Training`: the documented names, their common synonyms, then types."""

import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.utils.data import DataLoader

from trainingdoctor.errors import UserError
from trainingdoctor.loading.fields import VALID, careful, is_loss, is_model, require_types
from trainingdoctor.loading.kind import MODEL_NAMES
from trainingdoctor.registry import did_you_mean
from trainingdoctor.training import Training

# In order of precedence; as written first, then without regard to case.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "model": MODEL_NAMES,
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

# An unknown name that says that a loader is for evaluation.
EVALUATION = re.compile(r"val|test|eval|dev|hold", re.IGNORECASE)


def _is(value: Any, kind: Any) -> bool:
    """isinstance without asking the object, which may not tell."""
    return issubclass(type(value), kind)


# By which an object under an unknown name is recognised, when it is the only one.
KINDS: Mapping[str, Callable[[str, Any], bool]] = {
    "model": lambda _, v: _is_net(v),
    "train_loader": lambda name, v: _is(v, DataLoader) and not EVALUATION.search(name),
    "val_loader": lambda name, v: _is(v, DataLoader) and bool(EVALUATION.search(name)),
    "criterion": lambda _, v: is_loss(v),
    "optimizer": lambda _, v: _is(v, Optimizer),
    "scheduler": lambda _, v: _is(v, LRScheduler | ReduceLROnPlateau),
}


@careful
def _is_net(value: Any) -> bool:
    """A module with weights: torchvision's transforms are modules, too."""
    return is_model(value) and next(value.parameters(), None) is not None


def training_from(names: Mapping[str, Any], source: str) -> Training:
    """The training that module-level `names` describe.

    An object under an unknown name counts when it is the only one of its type. Raises UserError when there is no model
    or a name holds something of the wrong type.
    """
    public = _public(names)
    found = _found(public)
    _require_model(found, public, source)
    training = Training(**found, name=source)
    require_types(training, source)
    return training


def unfinished_training(names: Mapping[str, Any], source: str) -> Training | None:
    """The training as far as `names` hold it, such as those of a script that failed; what cannot be meant is passed over.

    None where they hold neither model, loader nor optimizer.
    """
    fitting = {k: v for k, v in names.items() if k not in VALID or VALID[k](v)}
    training = Training(**_found(_public(fitting)), name=source)
    parts = (training.model, training.train_loader, training.val_loader, training.optimizer)
    return None if all(part is None for part in parts) else training


def _public(names: Mapping[str, Any]) -> dict[str, Any]:
    public = {k: v for k, v in names.items() if not k.startswith("_") and not issubclass(type(v), ModuleType)}
    return {**_opened(public), **public}


def _found(public: Mapping[str, Any]) -> dict[str, Any]:
    """By field."""
    found: dict[str, Any] = {}
    for field, synonyms in SYNONYMS.items():
        value = _first(public, synonyms, VALID[field])
        value = _only_one(public, field, found) if value is None and field in KINDS else value
        if value is not None:
            found[field] = value
    if found.get("amp") is False:
        found.pop("amp")
    return found


def _opened(names: Mapping[str, Any]) -> dict[str, Any]:
    """`dataloaders = {"train": ..., "val": ...}`, as tutorials have it, as `train_loader` and `val_loader`."""
    for value in names.values():
        if _is(value, Mapping) and value and all(_is(v, DataLoader) for v in value.values()):
            return {f"{key}_loader": loader for key, loader in value.items()}
    return {}


def _first(names: Mapping[str, Any], synonyms: tuple[str, ...], valid: Callable[[Any], bool]) -> Any:
    """The value under the field's own name whatever it is (its type is judged later), or under a synonym if it fits.

    `MODEL = "resnet"` and `class Net` are no models, so another case counts only where the value fits.
    """
    own = names.get(synonyms[0])
    if own is not None:
        return own
    fitting = {name: value for name, value in names.items() if value is not None and valid(value)}
    lower = {name.lower(): value for name, value in fitting.items()}
    return next((known[s] for known in (fitting, lower) for s in synonyms if s in known), None)


def _only_one(names: Mapping[str, Any], field: str, found: Mapping[str, Any]) -> Any:
    taken = {id(v) for v in found.values()}
    known = {s for key, synonyms in SYNONYMS.items() if key != field for s in synonyms}
    fits = KINDS[field]
    fitting = {id(v): v for k, v in names.items() if fits(k, v) and id(v) not in taken and k.lower() not in known}
    return next(iter(fitting.values())) if len(fitting) == 1 else None


def _require_model(found: Mapping[str, Any], names: Mapping[str, Any], source: str) -> None:
    if "model" in found:
        return
    models = [k for k, v in names.items() if _is_net(v)]
    if models:
        raise UserError(
            f"{source} holds several modules ({', '.join(models)}) and none is called `model`: name the one to examine"
        )
    hint = (
        did_you_mean("model", names)
        or ' Build it at module level (what stands under `if __name__ == "__main__":` is not run), or return a'
        " trainingdoctor.Training from training()."
    )
    raise UserError(f"{source} has no `model`.{hint}")
