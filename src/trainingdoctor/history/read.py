"""Readers of metrics files: CSV (Lightning's too), JSON lines, Hugging Face's trainer_state.json, TensorBoard's event files."""

from __future__ import annotations

import csv
import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from trainingdoctor.errors import UserError
from trainingdoctor.history.columns import is_epoch, is_step, role_of
from trainingdoctor.history.curves import LearningCurves, curves_of

Record = tuple[float, dict[str, float]]
EVENTS = "events.out.tfevents."


def read_history(path: Path) -> LearningCurves:
    """The curves in a file, or in a folder of TensorBoard. Raises UserError for what is not there, or holds no metrics."""
    try:
        records = list(_records(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise UserError(f"--history {path}: cannot be read ({type(error).__name__}: {error})") from error
    curves = curves_of(records, path.name)
    if not curves.rows:
        names = sorted({name for _, values in records for name in values})
        found = f"found {', '.join(names[:8])}" if names else "found no numbers"
        raise UserError(
            f"--history {path}: no column is an accuracy, a loss or a learning rate ({found}); name them train_acc, test_acc, "
            "train_loss, test_loss, lr"
        )
    return curves


def _records(path: Path) -> Iterator[Record]:
    if path.is_dir() or path.name.startswith(EVENTS):
        return _of_tensorboard(path)
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        return _of_trainer_state(json.loads(text))
    if path.suffix == ".jsonl":
        return _of_rows(json.loads(line) for line in text.splitlines() if line.strip())
    dialect = csv.Sniffer().sniff(text[:4096], ",;\t") if text.strip() else csv.excel
    return _of_rows(csv.DictReader(text.splitlines(), dialect=dialect))


def _of_rows(rows: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
    """One row an epoch, or several that share their epoch's number; without such a column, each row is one."""
    for number, row in zip(count(1), rows, strict=False):
        values = {k: v for k, raw in row.items() if k and (v := _number(raw)) is not None}
        epoch = next((v for k, v in values.items() if is_epoch(k)), None)
        yield float(number) if epoch is None else epoch, {k: v for k, v in values.items() if not is_epoch(k)}


def _number(raw: Any) -> float | None:
    """Also "77.3 %"; None for what is none. nan and inf are numbers here: they are what is looked for."""
    try:
        return float(raw.strip().rstrip("%") if isinstance(raw, str) else raw)
    except (TypeError, ValueError):
        return None


def _of_trainer_state(state: Any) -> Iterator[Record]:
    """Hugging Face logs training and evaluation in entries of their own, the epoch being a fraction."""
    log = state["log_history"] if isinstance(state, dict) else state
    for entry in log:
        values = {k: v for k, raw in entry.items() if (v := _number(raw)) is not None and not is_step(k)}
        yield float(math.ceil(values.pop("epoch", 0.0) - 1e-9)), values


def _of_tensorboard(path: Path) -> Iterator[Record]:
    """Scalars by tag; those that are logged more often than the test metrics are read at the latter's steps."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as error:
        raise UserError("TensorBoard's files are read by tensorboard: pip install tensorboard") from error
    if path.is_dir():
        files = sorted(path.rglob(f"{EVENTS}*"))
        if not files:
            raise UserError(f"--history {path}: no {EVENTS}* file is in it")
        folders = sorted({f.parent for f in files})
    else:
        folders = [path]
    scalars: dict[str, list[tuple[int, float]]] = {}
    for folder in folders:
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        events.Reload()
        prefix = "" if len(folders) == 1 else f"{folder.name}/"
        for tag in events.Tags()["scalars"]:
            scalars[f"{prefix}{tag}"] = [(e.step, e.value) for e in events.Scalars(tag)]
    return _aligned(scalars)


def _aligned(scalars: Mapping[str, list[tuple[int, float]]]) -> Iterator[Record]:
    roles = {tag: role for tag in scalars if (role := role_of(tag)) is not None}
    tests = [tag for tag, role in roles.items() if role.column.startswith("test")]
    marks = sorted({step for tag in tests or roles for step, _ in scalars[tag]})
    for tag in roles:
        last = {min(bisect_left(marks, step), len(marks) - 1): value for step, value in scalars[tag]}
        for i, value in last.items():
            yield float(i + 1), {tag: value}
