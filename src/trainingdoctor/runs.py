"""Runs that are kept: `.trainingdoctor/` beside the config, a SQLite index and a folder for each run."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainingdoctor.errors import UserError
from trainingdoctor.files import write_whole

FOLDER = ".trainingdoctor"
TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, config TEXT NOT NULL, started TEXT NOT NULL, verdict TEXT NOT NULL,
    root_causes TEXT NOT NULL, accuracy REAL);
CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Run:
    """A line of the index. kind: diagnose, fix or verify.  accuracy: measured, in percent; None where nothing was trained."""

    number: int
    kind: str
    config: str
    started: str
    verdict: str
    root_causes: tuple[str, ...]
    accuracy: float | None


@dataclass(frozen=True)
class Runs:
    """The runs of one folder. Every write is one transaction: whoever is killed leaves the index as it was before or after it."""

    folder: Path

    @classmethod
    def beside(cls, config: Path) -> Runs:
        """Those of the folder that a config stands in."""
        return cls(config.resolve().parent / FOLDER)

    @property
    def exist(self) -> bool:
        """Whether anything was kept here."""
        return (self.folder / "index.sqlite").is_file()

    def add(
        self,
        kind: str,
        config: Path,
        verdict: str,
        root_causes: tuple[str, ...],
        accuracy: float | None,
        files: Mapping[str, str],
    ) -> Run:
        """Keep a run: its files first, then its line. Raises UserError where the folder cannot be written."""
        started = time.strftime("%Y-%m-%d %H:%M:%S")
        with self._open() as index:
            values = (kind, config.name, started, verdict, json.dumps(root_causes), accuracy)
            statement = (
                "INSERT INTO runs (kind, config, started, verdict, root_causes, accuracy) VALUES (?, ?, ?, ?, ?, ?)"
            )
            number = index.execute(statement, values).lastrowid
            assert number is not None
            folder = self.files_of(number)
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                write_whole(folder / name, text)
        return Run(number, kind, config.name, started, verdict, root_causes, accuracy)

    def files_of(self, number: int) -> Path:
        """The folder of a run."""
        return self.folder / "runs" / f"{number:04}"

    def all(self) -> list[Run]:
        """In the order they were made."""
        if not self.exist:
            return []
        with self._open() as index:
            rows = index.execute("SELECT * FROM runs ORDER BY number").fetchall()
        return [
            Run(number, kind, config, started, verdict, tuple(json.loads(causes)), accuracy)
            for number, kind, config, started, verdict, causes, accuracy in rows
        ]

    def report(self, name: str) -> dict[str, Any]:
        """The JSON report of a run by its number, or of `last`. Raises UserError where there is none."""
        with_report = [r.number for r in self.all() if (self.files_of(r.number) / "report.json").is_file()]
        wanted = with_report[-1] if name == "last" and with_report else int(name) if name.isdigit() else None
        if wanted not in with_report:
            known = ", ".join(map(str, with_report)) or "none"
            raise UserError(f"there is no kept run {name!r} with a report in {self.folder}: there are {known}")
        loaded: dict[str, Any] = json.loads((self.files_of(wanted) / "report.json").read_text(encoding="utf-8"))
        accuracy = next(r.accuracy for r in self.all() if r.number == wanted)
        return {**loaded, "accuracy": accuracy}

    def keep(self, key: str, value: Any) -> None:
        """Remember a JSON value, so that an interrupted plan goes on."""
        with self._open() as index:
            index.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, json.dumps(value)))

    def kept(self, key: str) -> Any:
        """What was remembered under that key; None where nothing was."""
        if not self.exist:
            return None
        with self._open() as index:
            row = index.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.folder / "index.sqlite", timeout=30.0)) as index:
                index.executescript(TABLES)
                with index:
                    yield index
        except (OSError, sqlite3.Error) as error:
            reason = (isinstance(error, OSError) and error.strerror) or error
            raise UserError(f"{self.folder} cannot be used to keep runs: {reason}") from error


def digest(*parts: Any) -> str:
    """A key of what a run depends on: texts, numbers, and the sources of a config's folder."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def sources_of(config: Path) -> dict[str, str]:
    """SHA-256 of the Python files in the folder of a config and below it, by their names there."""
    root = config.resolve().parent
    files = sorted(f for f in root.rglob("*.py") if FOLDER not in f.parts)[:2000]
    return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
