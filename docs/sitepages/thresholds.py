"""Every threshold that the settings may change."""

from collections.abc import Mapping

from sitepages.text import table
from trainingdoctor.ask import Threshold
from trainingdoctor.distributions import distributions
from trainingdoctor.registry import Registry


def checks_table(registry: Registry) -> str:
    """Of the checks, with what the fault bench compared with them."""
    values = {(d.code, d.threshold): d for several in distributions().values() for d in several}
    rows = (
        (f"[`{code}`](codes/{code}.md)", f"`{name}`", f"`{t.default!r}`", *_bench(values.get((code, name))))
        for code, check in registry.checks.items()
        for name, t in check.thresholds.items()
    )
    return table(("code", "threshold", "default", "bench, healthy", "bench, sick"), rows)


def _bench(distribution: object) -> tuple[str, str]:
    healthy, sick = (getattr(distribution, kind, None) for kind in ("healthy", "sick"))
    return str(healthy or ""), str(sick or "")


def evidence_table(registry: Registry) -> str:
    """Of the measurements; loads all of them, and torch."""
    rows = (
        (f"`{name}`", f"`{key}`", f"`{t.default!r}`")
        for name in registry.evidence_names()
        for key, t in _thresholds(registry, name).items()
    )
    return table(("measurement", "setting", "default"), rows)


def _thresholds(registry: Registry, name: str) -> Mapping[str, Threshold]:
    found = registry.evidence(name)
    return {} if found is None else found.thresholds
