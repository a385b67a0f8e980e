"""Where a value in a call really comes from: a constant, an option's default, an entry of a dictionary."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst
import libcst.matchers as m

from trainingdoctor.observing.places import CallSite
from trainingdoctor.remedy.source import Source, Unplaceable

# A value that is handed on more often than this is not followed.
HOPS = 4


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


def constant_of(source: Source, value: cst.BaseExpression, hops: int = HOPS) -> cst.BaseExpression | None:
    """The literal that a name, an option or an entry stands for, where the file defines it exactly once; else None.

    hops: how often it may be handed on: `self.lr = config.lr`, which is an option.
    """
    found = _defined(source, value)
    if len(found) != 1:
        return None
    if is_literal(found[0]):
        return found[0]
    return constant_of(source, found[0], hops - 1) if hops and found[0] is not value else None


def _defined(source: Source, value: cst.BaseExpression) -> list[cst.BaseExpression]:
    if isinstance(value, cst.Name):
        return assignments(source, value.value) or _default(source, value)
    if isinstance(value, cst.Attribute):
        name = value.attr.value
        # Class attributes and namespaces; a variable that takes its value from here has the same name, and no literal.
        held = [v for v in (*assignments(source, name), *_keywords(source, name)) if is_literal(v)]
        return _defaults(source, name) or held or _attributes(source, value)
    key = entry_key(value)
    if key is not None:
        return _entries(source, key)
    # `float(args.lr)`
    taken = m.matches(value, m.Call(func=m.Name("float") | m.Name("int"), args=[m.Arg()]))
    return [value.args[0].value] if taken and isinstance(value, cst.Call) else []


def is_setting(value: cst.BaseExpression) -> bool:
    """Whether an expression is an option or an entry of a config, which others than this call may set."""
    return isinstance(value, cst.Attribute) or entry_key(value) is not None


def is_used_elsewhere(source: Source, value: cst.BaseExpression) -> bool:
    """Whether a name, an option or an entry is read in another place of the file, too."""
    if not isinstance(value, cst.Name) and not is_setting(value):
        return False
    text, targets = source.shown(value), [t.target for a in source.all(cst.Assign) for t in a.targets]
    others = [n for n in source.all(type(value)) if n is not value and source.shown(n) == text]
    return any(not any(n is t for t in targets) for n in others)


def entry_key(value: cst.BaseExpression) -> str | None:
    """`lr` of `config["lr"]` and of `config.get("lr")`."""
    if isinstance(value, cst.Subscript):
        index = value.slice[0].slice
        text = index.value if isinstance(index, cst.Index) else None
    elif isinstance(value, cst.Call) and m.matches(value.func, m.Attribute(attr=m.Name("get"))) and value.args:
        text = value.args[0].value
    else:
        return None
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


def starred(source: Source, call: cst.Call) -> list[cst.Dict] | None:
    """The dictionaries that a call's `**name` may be, where the file writes them out and changes them nowhere; else None."""
    stars = [a.value for a in call.args if a.star == "**"]
    if len(stars) != 1 or not isinstance(stars[0], cst.Name) or _is_changed(source, stars[0].value):
        return None
    made = assignments(source, stars[0].value)
    held = [b for v in made for b in ((v.body, v.orelse) if isinstance(v, cst.IfExp) else (v,))]
    plain = [d for d in held if isinstance(d, cst.Dict) and all(_is_entry(e) for e in d.elements)]
    return plain if len(made) == 1 and len(plain) == len(held) else None


def _is_entry(element: cst.BaseDictElement) -> bool:
    return isinstance(element, cst.DictElement) and isinstance(element.key, cst.SimpleString)


def _is_changed(source: Source, name: str) -> bool:
    """`options.update(...)`, `options["lr"] = ...`, `options |= ...`"""
    methods = m.OneOf(*(m.Name(n) for n in ("update", "setdefault", "pop", "popitem", "clear")))
    called = any(m.matches(c.func, m.Attribute(m.Name(name), methods)) for c in source.all(cst.Call))
    targets = [t.target for a in source.all(cst.Assign) for t in a.targets]
    stored = any(m.matches(t, m.Subscript(m.Name(name))) for t in targets)
    return called or stored or any(m.matches(a.target, m.Name(name)) for a in source.all(cst.AugAssign))


def entry(held: cst.Dict, name: str) -> cst.BaseExpression | None:
    """The value under a key of a dictionary that is written out."""
    return next((e.value for e in held.elements if isinstance(e, cst.DictElement) and _text(e.key) == name), None)


def _text(key: cst.BaseExpression) -> str | bytes | None:
    return key.evaluated_value if isinstance(key, cst.SimpleString) else None


def name_for(source: Source, value: cst.BaseExpression, text: str) -> cst.BaseExpression | None:
    """What within an expression stands for exactly this number: `EPOCHS` of `EPOCHS * len(loader)`, or `args.epochs`."""
    names: list[cst.BaseExpression] = [*source.all(cst.Name), *source.all(cst.Attribute)]
    for name in names:
        constant = constant_of(source, name) if source.holds(value, name) else None
        if constant is not None and source.shown(constant) == text:
            return name
    return None


def function_of(source: Source, node: cst.CSTNode) -> cst.FunctionDef | None:
    """The function around a node; None at the top of the file."""
    outer = source.parent(node)
    while not isinstance(outer, cst.Module | cst.FunctionDef):
        outer = source.parent(outer)
    return outer if isinstance(outer, cst.FunctionDef) else None


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


def _default(source: Source, value: cst.Name) -> list[cst.BaseExpression]:
    """Of the parameter of the function around that a name is."""
    function = function_of(source, value)
    held = None if function is None else parameter(function, value.value)
    return [] if held is None or held.default is None else [held.default]


def _attributes(source: Source, value: cst.Attribute) -> list[cst.BaseExpression]:
    """`self.lr = config.lr`: what exactly this attribute is assigned; None before it is known does not count."""
    text = source.shown(value)
    found = [a.value for a in source.all(cst.Assign) if any(source.shown(t.target) == text for t in a.targets)]
    return [v for v in found if not m.matches(v, m.Name("None"))]


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
