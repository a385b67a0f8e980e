"""From findings to changes of the source: what builds what, which edit cures it, and whether it did. What fixes are written with."""

from trainingdoctor.observing.places import CallSite, Place
from trainingdoctor.remedy.arguments import DropArgument, Edit, ScaleArgument, SetArgument
from trainingdoctor.remedy.edits import (
    AddElements,
    RemoveElement,
    RemoveStatement,
    Replace,
    SetAttribute,
    SetCallee,
    Unwrap,
    Wrap,
)
from trainingdoctor.remedy.fix import Fix, NotFixable, Proposal, fix
from trainingdoctor.remedy.lines import (
    AtEndOfLoop,
    BesideCall,
    CallOn,
    NumbersOnly,
    SetMode,
    UnwrapWithin,
    WithinContext,
)
from trainingdoctor.remedy.provenance import Provenance
from trainingdoctor.remedy.statements import AddField, AddStatement, MoveStatement, SetField
from trainingdoctor.remedy.uses import MoveElement, WithoutSteps, WrapUse

__all__ = [
    "AddElements",
    "AddField",
    "AddStatement",
    "AtEndOfLoop",
    "BesideCall",
    "CallOn",
    "CallSite",
    "DropArgument",
    "Edit",
    "Fix",
    "MoveElement",
    "MoveStatement",
    "NotFixable",
    "NumbersOnly",
    "Place",
    "Proposal",
    "Provenance",
    "RemoveElement",
    "RemoveStatement",
    "Replace",
    "ScaleArgument",
    "SetArgument",
    "SetAttribute",
    "SetCallee",
    "SetField",
    "SetMode",
    "Unwrap",
    "UnwrapWithin",
    "WithinContext",
    "WithoutSteps",
    "Wrap",
    "WrapUse",
    "fix",
]
