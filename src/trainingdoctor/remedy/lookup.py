"""Where a value in a call really comes from: a constant, an option's default, an entry of a dictionary."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst
import libcst.matchers as m

from trainingdoctor.observing.places import CallSite
from trainingdoctor.remedy.source import Source, Unplaceable


def argument(call: cst.Call, name: str, parameters: Sequence[str]) -> cst.Arg | None:
    """The argument of that name, given by keyword or by position."""
    by_keyword = next((a for a in call.args if a.keyword is not None and a.keyword.value == name), None)
    if by_keyword is not None or name not in parameters:
        return by_keyword
    positional = []
    for given in call.args:
        if given.star or given.keyword is not None:
            break
        positional.append(given)
    index = list(parameters).index(name)
    return positional[index] if index < len(positional) else None


def constant_of(source: Source, value: cst.BaseExpression) -> cst.BaseExpression | None:
    """The literal that a name, an option or an entry stands for, where the file defines it exactly once; else None."""
    if isinstance(value, cst.Name):
        found = assignments(source, value.value)
    elif isinstance(value, cst.Attribute):
        name = value.attr.value
        # Class attributes and namespaces; a variable that takes its value from here has the same name, and no literal.
        held = [v for v in (*assignments(source, name), *_keywords(source, name)) if is_literal(v)]
        found = _defaults(source, name) or held
    elif isinstance(value, cst.Subscript) and (key := _key(value)) is not None:
        found = _entries(source, key)
    else:
        return None
    return found[0] if len(found) == 1 and is_literal(found[0]) else None


def _key(value: cst.Subscript) -> str | None:
    """`lr` of `config["lr"]`."""
    index = value.slice[0].slice
    text = index.value if isinstance(index, cst.Index) else None
    return str(text.evaluated_value) if isinstance(text, cst.SimpleString) else None


def handed_on(source: Source, site: CallSite, name: str) -> str | None:
    """The parameter of the function around a call that the call's argument is; None where it is none."""
    try:
        call = source.at(site.place, cst.Call)
        found = argument(call, name, site.parameters)
        function = source.around(call, cst.FunctionDef)
    except Unplaceable:
        return None
    if found is None or not isinstance(found.value, cst.Name):
        return None
    return found.value.value if parameter(function, found.value.value) is not None else None


def passes(source: Source, site: CallSite, name: str) -> bool:
    """Whether a call gives that argument."""
    try:
        return argument(source.at(site.place, cst.Call), name, site.parameters) is not None
    except Unplaceable:
        return False


def parameter(function: cst.FunctionDef, name: str) -> cst.Param | None:
    """A function's parameter of that name."""
    own = function.params
    return next((p for p in (*own.posonly_params, *own.params, *own.kwonly_params) if p.name.value == name), None)


def partial_of(source: Source, call: cst.Call, name: str) -> cst.Arg | None:
    """The argument of that name in the `functools.partial` that is called, where the file makes it once."""
    made = assignments(source, call.func.value) if isinstance(call.func, cst.Name) else []
    if (
        len(made) != 1
        or not isinstance(made[0], cst.Call)
        or source.shown(made[0].func).rpartition(".")[2] != "partial"
    ):
        return None
    return argument(made[0], name, ())


def name_for(source: Source, value: cst.BaseExpression, text: str) -> cst.Name | None:
    """A name within an expression that stands for exactly this number: `EPOCHS` of `EPOCHS * len(loader)`."""
    names = [n for n in source.all(cst.Name) if source.holds(value, n)]
    return next((n for n in names if (c := constant_of(source, n)) is not None and source.shown(c) == text), None)


def is_literal(node: cst.BaseExpression) -> bool:
    """Numbers, strings, True, False, None, and lists or tuples of them."""
    if isinstance(node, cst.UnaryOperation):
        return is_literal(node.expression)
    if isinstance(node, cst.List | cst.Tuple):
        return all(is_literal(e.value) for e in node.elements)
    named = isinstance(node, cst.Name) and node.value in ("True", "False", "None")
    return named or isinstance(node, cst.BaseNumber | cst.SimpleString)


def assignments(source: Source, name: str) -> list[cst.BaseExpression]:
    """What a name is assigned anywhere in the file."""
    found = [a.value for a in source.all(cst.Assign) if any(m.matches(t.target, m.Name(name)) for t in a.targets)]
    annotated = [
        a.value for a in source.all(cst.AnnAssign) if m.matches(a.target, m.Name(name)) and a.value is not None
    ]
    return [*found, *annotated, *_unpacked(source, name)]


def _unpacked(source: Source, name: str) -> list[cst.BaseExpression]:
    """`epochs, rate = 10, 0.1`."""
    found = []
    for assign in source.all(cst.Assign):
        for target in assign.targets:
            if isinstance(target.target, cst.Tuple) and isinstance(assign.value, cst.Tuple):
                pairs = zip(target.target.elements, assign.value.elements, strict=False)
                found += [v.value for t, v in pairs if m.matches(t.value, m.Name(name))]
    return found


def _defaults(source: Source, option: str) -> list[cst.BaseExpression]:
    """`add_argument("--lr", default=0.1)`."""
    found = []
    for call in source.all(cst.Call):
        if m.matches(call.func, m.Attribute(attr=m.Name("add_argument"))):
            names = [
                a.value.evaluated_value
                for a in call.args
                if isinstance(a.value, cst.SimpleString) and a.keyword is None
            ]
            if any(str(n).lstrip("-").replace("-", "_") == option for n in names):
                found += [a.value for a in call.args if a.keyword is not None and a.keyword.value == "default"]
    return found


def _keywords(source: Source, name: str) -> list[cst.BaseExpression]:
    """`Namespace(lr=0.1)`, `SimpleNamespace(...)`, `dict(...)`: an attribute that was given as a keyword."""
    holders = ("Namespace", "SimpleNamespace", "dict", "Config", "EasyDict")
    return [
        a.value
        for call in source.all(cst.Call)
        if source.shown(call.func).rpartition(".")[2] in holders
        for a in call.args
        if a.keyword is not None and a.keyword.value == name
    ]


def _entries(source: Source, key: str) -> list[cst.BaseExpression]:
    """`{"lr": 0.1}`, `dict(lr=0.1)`."""
    found = [
        e.value
        for d in source.all(cst.Dict)
        for e in d.elements
        if isinstance(e, cst.DictElement) and isinstance(e.key, cst.SimpleString) and e.key.evaluated_value == key
    ]
    return [*found, *_keywords(source, key)]
