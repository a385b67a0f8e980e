"""Selection and thresholds: from `[tool.trainingdoctor]` of pyproject.toml and from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trainingdoctor.ask import Threshold
from trainingdoctor.check import Check
from trainingdoctor.errors import UserError
from trainingdoctor.finding import Severity
from trainingdoctor.registry import Registry, did_you_mean, matches

KEYS = ("select", "ignore", "quick", "time_limit", "fail_on", "checks", "evidence")


@dataclass(frozen=True)
class Settings:
    """select: codes or prefixes to run (empty: all).  ignore: code or prefix -> the reason.  thresholds: by check code
    or evidence name.  quick: nothing that trains.  time_limit: seconds for the whole diagnosis.  fail_on: exit with 1
    from this severity on.  pictures: draw what was measured, for the HTML report.
    """

    select: tuple[str, ...] = ()
    ignore: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quick: bool = False
    time_limit: float = 600.0
    fail_on: Severity = Severity.WARNING
    pictures: bool = False

    def excludes(self, check: Check) -> str | None:
        """Why the check is left out; None when it runs."""
        for pattern, reason in self.ignore.items():
            if matches(pattern, check.code):
                return f"ignored: {reason}" if reason else "ignored"
        if self.select and not any(matches(pattern, check.code) for pattern in self.select):
            return "not selected"
        return None


def read_settings(start: Path, registry: Registry) -> Settings:
    """`[tool.trainingdoctor]` of the nearest pyproject.toml at or above `start`; the defaults where there is none.

    Raises UserError for a key, a code, a threshold or a type that does not exist, with what was probably meant.
    """
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            table = _table(path)
            return parse_settings(table, registry, str(path)) if table else Settings()
    return Settings()


def _table(path: Path) -> Mapping[str, Any]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}") from error
    tools = data.get("tool", {})
    table = tools.get("trainingdoctor", {}) if isinstance(tools, Mapping) else {}
    if not isinstance(table, Mapping):
        raise UserError(f"{path}: [tool.trainingdoctor] must be a table")
    return table


def parse_settings(table: Mapping[str, Any], registry: Registry, source: str) -> Settings:
    """Validate a settings table. Raises UserError; `source` is named in it."""
    for key in table:
        if key not in KEYS:
            raise UserError(f"{source}: [tool.trainingdoctor] has no key {key!r}.{did_you_mean(key, KEYS)}")
    ignore = table.get("ignore", {})
    settings = Settings(
        select=checked_patterns(_typed(table, "select", list, [], source), registry, source),
        ignore=parse_ignore(
            ignore if isinstance(ignore, Mapping) else _typed(table, "ignore", list, [], source), registry, source
        ),
        thresholds=_thresholds(table, registry, source),
        quick=_typed(table, "quick", bool, False, source),
        time_limit=seconds(_typed(table, "time_limit", (int, float), 600.0, source), f"{source}: time_limit"),
    )
    return replace(settings, fail_on=severity(_typed(table, "fail_on", str, "warning", source), source))


def _typed(table: Mapping[str, Any], key: str, kind: Any, default: Any, source: str) -> Any:
    value = table.get(key, default)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise UserError(f"{source}: {key} must be {names}, not {value!r}")
    return value


def seconds(value: float, label: str) -> float:
    """A time limit. Raises UserError unless it is a positive number."""
    if not 0 < value < float("inf"):
        raise UserError(f"{label} {value:g}: give a positive number of seconds")
    return float(value)


def severity(name: str, source: str) -> Severity:
    """A severity by name. Raises UserError."""
    if name not in list(Severity):
        raise UserError(
            f"{source}: {name!r} is no severity; use critical, warning or info.{did_you_mean(name, [s.value for s in Severity])}"
        )
    return Severity(name)


def checked_patterns(patterns: Iterable[str], registry: Registry, source: str) -> tuple[str, ...]:
    """Codes or prefixes that match at least one check; several may be in one, between commas. Raises UserError."""
    single = [part.strip() for pattern in patterns for part in str(pattern).split(",")]
    for pattern in single:
        if not registry.matching(pattern):
            known = [*registry.checks, *{c.area for c in registry.checks.values()}]
            raise UserError(f"{source}: no check has the code or prefix {pattern!r}.{did_you_mean(pattern, known)}")
    return tuple(single)


def parse_ignore(items: Mapping[str, str] | Iterable[str], registry: Registry, source: str) -> dict[str, str]:
    """`{"code": "reason"}`, or a list of `code` and `code=reason`; several codes may be before one reason, between commas."""
    split = (str(i).partition("=") for i in items)
    table = (
        items
        if isinstance(items, Mapping)
        else {code: reason for codes, _, reason in split for code in codes.split(",")}
    )
    for code, reason in table.items():
        if not isinstance(reason, str):
            raise UserError(f"{source}: the reason for ignoring {code!r} must be a string, not {reason!r}")
    ignore = {str(code).strip(): str(reason).strip() for code, reason in table.items()}
    checked_patterns(ignore, registry, source)
    return ignore


def _thresholds(table: Mapping[str, Any], registry: Registry, source: str) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {}
    for kind in ("checks", "evidence"):
        for name, values in _typed(table, kind, dict, {}, source).items():
            known = _known_thresholds(kind, name, registry, source)
            if not isinstance(values, Mapping):
                raise UserError(f'{source}: [tool.trainingdoctor.{kind}."{name}"] must be a table')
            result[name] = {k: _threshold(f"{name}: {k}", k, v, known, source) for k, v in values.items()}
    return result


def _known_thresholds(kind: str, name: str, registry: Registry, source: str) -> Mapping[str, Threshold]:
    item = registry.checks.get(name) if kind == "checks" else registry.evidence(name)
    if item is None:
        names = list(registry.checks) if kind == "checks" else registry.evidence_names()
        raise UserError(f"{source}: there is no {kind.removesuffix('s')} {name!r}.{did_you_mean(name, names)}")
    return item.thresholds


def _threshold(label: str, key: str, value: Any, known: Mapping[str, Threshold], source: str) -> Any:
    if key not in known:
        allowed = f" It has: {', '.join(known)}." if known else " It has no thresholds."
        raise UserError(f"{source}: {label} is not a threshold.{did_you_mean(key, known)}{allowed}")
    wanted = known[key].type
    fits = isinstance(value, bool) if wanted is bool else isinstance(value, (int, float) if wanted is float else wanted)
    if not fits or (isinstance(value, bool) and wanted is not bool):
        raise UserError(f"{source}: {label} must be {wanted.__name__}, not {value!r}")
    return wanted(value)
