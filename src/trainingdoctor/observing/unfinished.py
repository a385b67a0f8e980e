"""The training of a script that never came to its first step, or one sentence why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainingdoctor.errors import Unavailable, UserCodeError, UserError
from trainingdoctor.loading.names import training_from, unfinished_training
from trainingdoctor.observing.remains import PARTS
from trainingdoctor.observing.script import Ran
from trainingdoctor.training import Training


def built(script: Path, ran: Ran, cut: bool = False, forked: str = "") -> Training:
    """What a script whose model was never called has built, as a config does. cut: it was interrupted before its end.  forked:
    place of an os.fork() whose child was not followed.

    Raises UserError where that is nothing either.
    """
    if cut:
        training = unfinished_training(ran.names, script.name)
        if training is None:
            raise UserError(f"{script.name} was interrupted before anything could be seen")
        return training
    if ran.error is None:
        return _as_config(script, ran, forked)
    _require_arguments(script, ran.error)
    training = unfinished_training(ran.names, script.name)
    hint = _torchrun(script, ran.error)
    if hint or training is None:
        hint = hint or (f"; {ran.error.advice}" if ran.error.advice else "")
        raise UserError(str(ran.error).replace("the script", script.name, 1) + hint)
    return training


def completed(training: Training, script: Path, ran: Ran) -> Training:
    """With what a script that raised before its first step had built, and its loop had not used yet."""
    held = unfinished_training(ran.names, script.name) if ran.error is not None else None
    if held is None:
        return training
    missing = [part for part in PARTS if getattr(training, part) is None]
    return replace(training, **{part: getattr(held, part) for part in missing})


def not_reached(training: Training, known: Mapping[str, Any], script: Path, ran: Ran) -> dict[str, Unavailable]:
    """What a script that raised before its first step may have meant to build after that, by the evidence that would miss it."""
    stepped = getattr(known.get("loop_trace"), "steps", ())
    if ran.error is None or stepped or training.scheduler is not None:
        return {}
    return {
        "schedule_trace": Unavailable(f"{script.name} raised before its first step, and may build a scheduler later")
    }


def _as_config(script: Path, ran: Ran, forked: str) -> Training:
    try:
        return training_from({name: v for name, v in ran.names.items() if not name.startswith("__")}, script.name)
    except UserError:
        if forked:
            raise UserError(
                f"{script.name} called no model in its own process: if the child of os.fork() ({forked}) trains, call there, "
                "under `if pid == 0:`, the function that does"
            ) from None
        last = ran.said.splitlines()[-1].strip()[:200] if ran.said else ""
        said = f" (it printed last: {last})" if last else ""
        raise UserError(
            f"{script.name} ran to its end and no model was called{said}: give the arguments that make it train, after --, "
            "or a config that builds `model` and its training"
        ) from None


def _require_arguments(script: Path, error: UserCodeError) -> None:
    """Raise UserError with what argparse found wrong; it exits after it has printed that."""
    trace = error.error.__traceback__ if isinstance(error.error, SystemExit) else None
    while trace is not None:
        code, held = trace.tb_frame.f_code, trace.tb_frame.f_locals
        if code.co_qualname == "ArgumentParser.error":
            message = str(held.get("message", "")).rstrip(".")
            raise UserError(f"{script.name} ended at once: {message}; {_placed(message)} {script.name} -- ...")
        trace = trace.tb_next


def _placed(message: str) -> str:
    """Where what argparse missed, or did not know, is to be written."""
    if message.startswith("unrecognized arguments"):
        return "all that stands after -- is the script's, and options of trainingdoctor go before: trainingdoctor diagnose [OPTIONS]"
    return "give its arguments after --: trainingdoctor diagnose"


def _torchrun(script: Path, error: UserCodeError) -> str:
    """What to type where a script wants the environment that torchrun makes."""
    wanted = any(name in str(error.error) for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"))
    if not wanted or not isinstance(error.error, KeyError | ValueError | TypeError):
        return ""
    return f"; it wants torchrun: torchrun --nproc-per-node 1 -m trainingdoctor diagnose {script.name}"
