"""Play a row in this process: the command line as a user calls it, and what became of the training."""

import hashlib
import json
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from tests.gallery.row import Row
from torch import nn
from typer.testing import CliRunner

from trainingdoctor import runner
from trainingdoctor.cli import app
from trainingdoctor.measure import environment, environment_packages

# Before a config empties the path on which they are found.
PACKAGES = environment_packages.read_packages({})


@dataclass
class Played:
    """What became of a row. report: as JSON; empty where none was made.  changed: what did not come back as it was."""

    exit: int
    stdout: str
    stderr: str
    report: dict[str, Any] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """All that was said: findings, why something was not examined, standard error."""
        told = [f["message"] for f in self.report.get("findings", ())]
        told += [c["reason"] for c in self.report.get("checks", ()) if c["outcome"] in ("skipped", "crashed")]
        return [*told, *self.stderr.splitlines()]

    @property
    def judged(self) -> int:
        """Checks that came to a judgement."""
        return sum(c["outcome"] in ("healthy", "unwell") for c in self.report.get("checks", ()))

    @property
    def crashed(self) -> list[str]:
        """Checks that crashed, with the reason."""
        return [f"{c['code']}: {c['reason']}" for c in self.report.get("checks", ()) if c["outcome"] == "crashed"]


def write(row: Row, folder: Path) -> Path:
    """The row's files; returns the config."""
    for name, text in row.files.items():
        (folder / name).write_text(text)
    config = folder / "config.py"
    config.write_text(row.head + row.config + "\n")
    return config


def play(row: Row, folder: Path, around: Callable[[Path], Any] = lambda _: nullcontext()) -> Played:
    """Diagnose the row's config in this process. around: what is the matter meanwhile, a context for the config's folder."""
    config, output = write(row, folder), folder.parent / f"{folder.name}.json"
    within = around(folder)
    before, files = process(), contents(folder)
    with kept_process(), watched() as changes, within:
        result = CliRunner().invoke(app, ["diagnose", str(config), *row.options, "--output", str(output)])
        after = process()
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    report = json.loads(output.read_text()) if output.exists() else {}
    changes += [f"{k}: {before[k]} -> {after[k]}" for k in before if before[k] != after[k]]
    left = contents(folder)
    changes += [f"file {k}" for k in files.keys() | left.keys() if files.get(k) != left.get(k) and k not in row.touches]
    return Played(result.exit_code, result.stdout, result.stderr, report, changes)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Compare each training that is diagnosed with what it was before."""
    changes: list[str] = []
    diagnose = runner.diagnose

    def compared(training: Any, **options: Any) -> Any:
        before = state(training)
        try:
            return diagnose(training, **options)
        finally:
            after = state(training)
            changes.extend(f"{k}: {before[k]} -> {after.get(k)}" for k in before if before[k] != after.get(k))

    with patch.object(runner, "diagnose", compared), patch.object(environment, "read_packages", lambda _: PACKAGES):
        yield changes


def state(training: Any) -> dict[str, Any]:
    """What must be the same after a diagnosis: weights, gradients, modes, rates, random states, switches."""
    found: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": str(np.random.get_state()),
        "torch": hashed(torch.get_rng_state()),
        "gradients": torch.is_grad_enabled(),
        "precision": torch.get_default_dtype(),
        "folder": str(Path.cwd()),
    }
    modules = nn.Module.named_modules(training.model) if "_modules" in vars(training.model) else ()
    for name, module in modules:
        found[f"{name} mode"] = module.training
        for kind in (module._parameters, module._buffers):
            for own, tensor in kind.items():
                found[f"{name}.{own}"] = (
                    hashed(tensor),
                    tensor is not None and tensor.requires_grad,
                    hashed(grad(tensor)),
                )
    optimizers = training.optimizer if isinstance(training.optimizer, list) else [training.optimizer]
    found["groups"] = [[group(g) for g in o.param_groups] for o in optimizers if o is not None]
    return found


def grad(tensor: Any) -> Any:
    """The gradient of a leaf."""
    return tensor.grad if isinstance(tensor, torch.Tensor) and tensor.is_leaf else None


def group(values: dict[str, Any]) -> dict[str, str]:
    """A parameter group without its parameters."""
    return {k: repr(v) for k, v in values.items() if k != "params"}


def hashed(tensor: Any) -> str:
    """Equal for equal contents."""
    if not isinstance(tensor, torch.Tensor) or tensor.is_meta or nn.parameter.is_lazy(tensor):
        return type(tensor).__name__
    return hashlib.sha256(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()).hexdigest()[:12]


def contents(folder: Path) -> dict[str, str]:
    """The files of a folder."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


def process() -> dict[str, Any]:
    """What the command must leave as it was in the process."""
    return {"cwd": str(Path.cwd()), "argv": list(sys.argv), "bytecode": sys.dont_write_bytecode}


@contextmanager
def kept_process() -> Iterator[None]:
    """What configs do to the process is undone: its next test is another one's."""
    undo: list[Callable[[], object]] = [
        lambda value=value, restore=restore: restore(value)  # type: ignore[misc]
        for restore, value in (
            (os.chdir, Path.cwd()),
            (sys.setrecursionlimit, sys.getrecursionlimit()),
            (torch.set_grad_enabled, torch.is_grad_enabled()),
            (torch.set_default_dtype, torch.get_default_dtype()),
            (torch.autograd.set_detect_anomaly, torch.is_anomaly_enabled()),
            (torch.set_default_device, None),
            (lambda v: np.seterr(**v), np.geterr()),
            (lambda v: signal.signal(signal.SIGALRM, v), signal.getsignal(signal.SIGALRM)),
            (lambda v: signal.signal(signal.SIGTERM, v), signal.getsignal(signal.SIGTERM)),
            # Set below: tests in the background of a shell inherit an interrupt that is ignored.
            (lambda v: signal.signal(signal.SIGINT, v), signal.getsignal(signal.SIGINT)),
            (lambda v: sys.path.__setitem__(slice(None), v), list(sys.path)),
            (lambda v: sys.argv.__setitem__(slice(None), v), list(sys.argv)),
            (lambda v: [sys.modules.pop(m) for m in sys.modules.keys() - v if is_foreign(m)], set(sys.modules)),
            (lambda v: [nn.modules.module._global_forward_hooks.pop(k) for k in [*nn.modules.module._global_forward_hooks] if k not in v], set(nn.modules.module._global_forward_hooks)),
        )
    ]  # fmt: skip
    with warnings.catch_warnings():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            for step in undo:
                step()


def is_foreign(module: str) -> bool:
    """Whether a module is the config's or stands beside it."""
    return module in ("config", "trainingdoctor_config", "beside", "ring", "other_ring")
