"""trainingdoctor: finds out why a neural network trains badly.

What needs torch is loaded on first use, so that the command line starts, and `trainingdoctor env` works,
without (or with a broken) torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trainingdoctor.check import Check, Cost, Verdicts, check
from trainingdoctor.errors import Unavailable, UserError
from trainingdoctor.evidence import Evidence, evidence
from trainingdoctor.finding import Finding, Note, Severity, critical, info, warning
from trainingdoctor.training import Training

if TYPE_CHECKING:
    from trainingdoctor.report import Report
    from trainingdoctor.runner import diagnose

__version__ = "0.1.0"

__all__ = [
    "Check",
    "Cost",
    "Evidence",
    "Finding",
    "Note",
    "Report",
    "Severity",
    "Training",
    "Unavailable",
    "UserError",
    "Verdicts",
    "__version__",
    "check",
    "critical",
    "diagnose",
    "evidence",
    "info",
    "warning",
]

_LAZY = {"Report": "report", "diagnose": "runner"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'trainingdoctor' has no attribute {name!r}")
    return getattr(import_module(f"trainingdoctor.{_LAZY[name]}"), name)
