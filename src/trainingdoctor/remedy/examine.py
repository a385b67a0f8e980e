"""Diagnose a config, or what a patch would make of it, and ask the fixes about what was found."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from trainingdoctor.errors import Unavailable, UserCodeError, UserError
from trainingdoctor.loading.config import in_folder_of, load_config
from trainingdoctor.measure.batches import augmented, forward, split_batch
from trainingdoctor.measure.steps import compute_loss
from trainingdoctor.observing.launch import observed_answer
from trainingdoctor.registry import Registry
from trainingdoctor.remedy.building import watched_building
from trainingdoctor.remedy.fix import Fix, Proposal
from trainingdoctor.remedy.overlay import overlaid
from trainingdoctor.remedy.propose import propose
from trainingdoctor.remedy.provenance import Provenance
from trainingdoctor.report import Report
from trainingdoctor.runner import Diagnosis, Progress, diagnose
from trainingdoctor.settings import Settings


@dataclass(frozen=True)
class Subject:
    """What is to be fixed, and how it is examined. codes: fix only these (prefixes), infos too."""

    file: Path
    settings: Settings
    registry: Registry
    fixes: Mapping[str, Fix]
    codes: tuple[str, ...] = ()
    device: str | None = None
    seed: int = 0
    progress: Progress | None = None


@dataclass(frozen=True)
class Examination:
    """A report, and a proposal for each finding that is worth a fix."""

    report: Report
    proposals: tuple[Proposal, ...]


def examine_config(subject: Subject, texts: Mapping[Path, str]) -> Examination:
    """Load and diagnose the config with `texts` in place of its files. Raises UserError where it cannot be loaded."""
    file, settings = subject.file.resolve(), subject.settings
    under_way: list[Diagnosis] = []
    with overlaid(texts), in_folder_of(file):
        started = time.perf_counter()
        with watched_building() as building:
            training = load_config(file, settings.time_limit)
        report = diagnose(
            training,
            settings=settings,
            device=subject.device,
            seed=subject.seed,
            progress=subject.progress,
            registry=subject.registry,
            started=started,
            watch=under_way.append,
        )
        diagnosis = under_way[0]
        # What the fixes still have to measure has a time limit of its own.
        diagnosis.settings = replace(settings, time_limit=settings.time_limit + time.perf_counter() - started)
        proposals = propose(diagnosis, report, subject.codes, Provenance(building, file), subject.fixes)
    return Examination(report, proposals)


def examine_script(subject: Subject, arguments: tuple[str, ...], texts: Mapping[Path, str]) -> Examination:
    """The same of a training script, watched in a process of its own. Raises UserError where nothing was seen."""
    answer = observed_answer(
        subject.file,
        arguments,
        settings=subject.settings,
        seed=subject.seed,
        device=subject.device,
        texts=texts,
        codes=subject.codes,
    )
    if answer.report is None:
        raise UserError(f"{subject.file.name} was not the first of several processes")
    return Examination(answer.report, answer.proposals)


def begins(subject: Subject, texts: Mapping[Path, str]) -> None:
    """Raise UserError where the config cannot be loaded with these texts, or cannot give a loss or a prediction any more."""
    with overlaid(texts), in_folder_of(subject.file):
        training = load_config(subject.file.resolve(), subject.settings.time_limit)
        if training.model is None:
            return
        try:
            for loader, learns in ((training.train_loader, True), (training.val_loader, False)):
                raw = next(iter(loader or ()), None)
                if raw is None:
                    continue
                batch = split_batch(raw).first(8)
                if learns and training.criterion is not None:
                    compute_loss(
                        training.model, augmented(batch, training.augment_on_device), training.criterion, training.amp
                    )
                else:
                    forward(training.model.eval(), batch)
        except (UserCodeError, Unavailable) as error:
            raise UserError(str(error)) from error
