"""Checkpoints: written atomically, loaded without executing anything, refused when they are not ours."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from trainingdoctor.errors import UserError

FORMAT = "trainingdoctor reference run 1"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to a file beside `path`, then rename: a reader sees the old one or the new one, never half of one."""
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        torch.save({"format": FORMAT, **state}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path, identity: str) -> dict[str, Any]:
    """Read a checkpoint of the same run. Raises UserError for a truncated, foreign or different one."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read ({type(error).__name__}): delete it to start anew") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path} is no checkpoint of a reference run: delete it, or choose another --output")
    if state.get("identity") != identity:
        raise UserError(f"{path} belongs to a run with other settings: repeat those, or choose another --output")
    return state
