"""trainingdoctor: finds out why a neural network trains badly.

What needs torch is loaded on first use, so that the command line starts, and `trainingdoctor env` works,
without (or with a broken) torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trainingdoctor.check import Check, Cost, Verdicts, check
from trainingdoctor.errors import TrainingUnwell, Unavailable, UserCodeError, UserError
from trainingdoctor.evidence import Evidence, evidence
from trainingdoctor.finding import Finding, Note, Severity, critical, info, warning
from trainingdoctor.training import Training

if TYPE_CHECKING:
    from trainingdoctor.functions.augmentation import augmentation_pairs
    from trainingdoctor.functions.lr_range import lr_range_test
    from trainingdoctor.functions.one_step import one_step
    from trainingdoctor.functions.schedule import schedule_trace
    from trainingdoctor.measure.augmentation import AugmentationPairs
    from trainingdoctor.measure.lr_range import LrCurve
    from trainingdoctor.measure.one_step import OneStep
    from trainingdoctor.measure.restore import restored
    from trainingdoctor.measure.schedule import ScheduleTrace
    from trainingdoctor.observing.inside import observe
    from trainingdoctor.report import Report
    from trainingdoctor.runner import diagnose

__version__ = "0.1.0"

__all__ = [
    "AugmentationPairs",
    "Check",
    "Cost",
    "Evidence",
    "Finding",
    "LrCurve",
    "Note",
    "OneStep",
    "Report",
    "ScheduleTrace",
    "Severity",
    "Training",
    "TrainingUnwell",
    "Unavailable",
    "UserCodeError",
    "UserError",
    "Verdicts",
    "__version__",
    "augmentation_pairs",
    "check",
    "critical",
    "diagnose",
    "evidence",
    "info",
    "lr_range_test",
    "observe",
    "one_step",
    "restored",
    "schedule_trace",
    "warning",
]

# Where each name that needs torch lives.
_LAZY = {
    "AugmentationPairs": "measure.augmentation",
    "LrCurve": "measure.lr_range",
    "OneStep": "measure.one_step",
    "Report": "report",
    "ScheduleTrace": "measure.schedule",
    "augmentation_pairs": "functions.augmentation",
    "diagnose": "runner",
    "lr_range_test": "functions.lr_range",
    "observe": "observing.inside",
    "one_step": "functions.one_step",
    "restored": "measure.restore",
    "schedule_trace": "functions.schedule",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'trainingdoctor' has no attribute {name!r}")
    return getattr(import_module(f"trainingdoctor.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return __all__
