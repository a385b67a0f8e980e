"""Where checks and evidence come from: the entry points of group `trainingdoctor.checks`, and `trainingdoctor.measure`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points

from trainingdoctor.check import Check
from trainingdoctor.errors import Terminated, one_line
from trainingdoctor.evidence import Evidence

GROUP = "trainingdoctor.checks"

# Loaded one after the other until a name is found: the first ones need no torch, so `env` works without it.
MEASURE_MODULES = (
    "environment",
    "summary",
    "loop",
    "drawing",
    "batches",
    "optimizers",
    "schedule",
    "layers",
    "pretraining",
    "batchnorm",
    "batchnorm_statistics",
    "run_length",
    "decay",
    "targets",
    "criterion",
    "outputs",
    "bounded",
    "output_call",
    "function_use",
    "token_order",
    "position_use",
    "one_step",
    "reference_init",
    "parameters",
    "images",
    "dataset",
    "augmentation",
    "example_draws",
    "workers",
    "order",
    "loading_speed",
    "balance",
    "lengths",
    "trials",
    "lr_range",
    "overfit",
    "samples",
    "probe",
    "label_relation",
    "augmentation_strength",
    "pixel_noise",
    "channels",
    "columns",
    "indices",
    "overlap",
    "transform_steps",
    "family",
    "known_data",
    "recipe_gap",
    "expectation",
    "history",
    "class_weights",
    "warmup",
    "precision",
    "penalty",
    "regularizers",
    "flow",
    "batchnorm_use",
    "freezing",
    "spectral",
    "origins",
    "shown",
    "features",
    "repeats",
    "padding",
    "unregistered",
    "divergence",
    "single_values",
)


@dataclass
class Registry:
    """Checks by code and evidence by name. broken: plug-ins that could not be loaded, one sentence each."""

    checks: dict[str, Check] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    _evidence: dict[str, Evidence] = field(default_factory=dict)
    _modules: list[str] = field(default_factory=lambda: list(MEASURE_MODULES))

    def add(self, items: Iterable[Check | Evidence]) -> None:
        """Register checks and evidence. Raises ValueError for a code or name that is taken."""
        for item in items:
            if isinstance(item, Check):
                known: dict[str, Check] | dict[str, Evidence] = self.checks
                name = item.code
            elif isinstance(item, Evidence):
                known, name = self._evidence, item.name
            else:
                raise ValueError(f"{item!r} is neither a check nor evidence")
            if known.get(name, item) is not item:
                raise ValueError(f"{name!r} is registered twice")
            known[name] = item  # type: ignore[assignment]

    def evidence(self, name: str) -> Evidence | None:
        """The evidence of that name, importing measurements as needed; None where there is none."""
        while name not in self._evidence and self._modules:
            module = import_module(f"trainingdoctor.measure.{self._modules.pop(0)}")
            self.add(v for v in vars(module).values() if isinstance(v, Evidence))
        return self._evidence.get(name)

    def evidence_names(self) -> list[str]:
        """All of them; imports every measurement, and torch with them."""
        self.evidence("")
        return list(self._evidence)

    def matching(self, pattern: str) -> list[Check]:
        """Checks whose code is `pattern` or begins with it: `lr.too_high`, `lr`, `lr.`, `lr.*`."""
        return [c for c in self.checks.values() if matches(pattern, c.code)]


def load_registry() -> Registry:
    """All installed checks. A plug-in that fails to load becomes one sentence in `broken`."""
    registry = Registry()
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name != "builtin", p.name)):
        try:
            registry.add(point.load())
        except (KeyboardInterrupt, Terminated):
            raise
        except BaseException as error:  # noqa: BLE001 - somebody else's plug-in must not stop the diagnosis
            registry.broken.append(f"plug-in {point.name!r} ({point.value}) was not loaded: {one_line(error)}")
    return registry


def matches(pattern: str, code: str) -> bool:
    """Whether a code is the pattern or begins with it: `lr.too_high`, `lr`, `lr.`, `lr.*`."""
    prefix = pattern.rstrip("*").rstrip(".")
    return code == prefix or code.startswith(prefix + ".")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


def areas(checks: Iterable[Check]) -> Iterator[str]:
    """The areas in the order of their first check."""
    yield from dict.fromkeys(c.area for c in checks)
