"""The user's own training in the harness of the reference run, as it is or as `fix` makes it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trainingdoctor.cli.live import Live, say

if TYPE_CHECKING:
    from trainingdoctor.reference import RunResult
    from trainingdoctor.remedy.cure import Cure


def own_run(
    config: Path,
    with_fixes: bool,
    epochs: int | None,
    target: float,
    gpu: int | None,
    device: str | None,
    seed: int,
    output: Path | None,
    resume: bool,
) -> int:
    """Train a config, and compare it with the target; returns the exit code."""
    from trainingdoctor.loading.config import in_folder_of, load_config
    from trainingdoctor.measure.restore import seed_everything
    from trainingdoctor.reference.own import train_own
    from trainingdoctor.reference.run import device_named
    from trainingdoctor.remedy.overlay import overlaid

    folder = None if output is None else output.resolve()
    where = None if gpu is None and device is None else device_named(gpu, device)
    file = config.resolve()
    cure = _cured(file, where, seed) if with_fixes else None
    sources = (file, *_kept(cure, file, folder))
    with overlaid(cure.patch.after if cure else {}), in_folder_of(file), Live() as live:
        # Before the config runs: it builds the model.
        seed_everything(seed)
        training = load_config(file)
        result = train_own(
            training,
            epochs=epochs,
            device=where,
            seed=seed,
            output=folder,
            resume=resume,
            target=target,
            sources=sources,
            on_epoch=live.on_epoch,
            on_step=live.on_step,
            say=say,
        )
    return _compared(training.name, result, target)


def _cured(file: Path, device: str | None, seed: int) -> Cure:
    from trainingdoctor.cli.cured import cure_of, subject_for
    from trainingdoctor.render.cure import print_cure

    cure = cure_of(subject_for(file, None, None, False, None, device, seed))
    print_cure(cure, cure.patch.diff(file.parent), (), sys.stderr)
    return cure


def _kept(cure: Cure | None, file: Path, folder: Path | None) -> tuple[Path, ...]:
    """The difference, beside the run's other files: it is a part of what was trained."""
    if cure is None or folder is None:
        return ()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "fixes.diff"
    path.write_text(cure.patch.diff(file.parent), encoding="utf-8")
    return (path,)


def _compared(name: str, result: RunResult, target: float) -> int:
    """Print the user's accuracy beside the target and what the paper reports for the architecture."""
    from trainingdoctor.reference.resnet import PUBLISHED

    say(
        f"{name}: test accuracy {result.accuracy:.2f} % after {result.epochs} epochs, {result.seconds:.1f} s of training"
    )
    for what, value in (("the target", target), PUBLISHED):
        gap = result.accuracy - value
        say(f"  {abs(gap):6.2f} points {'above' if gap >= 0 else 'below'} {what}, {value:g} %")
    met = result.accuracy >= target
    say("CERTIFIED" if met else f"NOT CERTIFIED: {result.accuracy:.2f} % is below the target of {target:g} %")
    return 0 if met else 1
