"""Python 2: how it is told, in source and in what is raised, and what of its source can still be read."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

ADVICE = "convert it to Python 3, as `python -m fissix -w FILE` does (pip install fissix)"

_PRINT = re.compile(r"""(?:(?<=^)|(?<=[:;]))\s*(print)(\s+|(?=["'`]))(?![=.,(]\s)[\w"'`%\[{-].*$""")
# What stands for the same in Python 3.
_SAME = (
    (re.compile(r"^(\s*except\b[^:]*[\w)])\s*,\s*(\w+)\s*:"), r"\1 as \2:"),
    (re.compile(r"^(.*?\braise\s+[\w.]+)\s*,\s*(.+?)\s*$"), r"\1(\2)"),
    (re.compile(r"<>"), "!="),
    (re.compile(r"(?<![.\w])0(\d+)\b(?!\.)"), r"0o\1"),
    (re.compile(r"(?<![.\w])(\d+)[lL]\b"), r"\1"),
)
# What has no such form that a line could be given.
_OTHER = re.compile(
    r"""^\s*exec\s+["'\w]|`[^`]+`|\b[uU][rR]["']|\blambda\s*\(|\bdef\s+\w+\([^)]*\(\s*\w+\s*,[^)]*\)\s*[,)]"""
)

NAMES = frozenset(
    [
        "xrange",
        "unicode",
        "basestring",
        "raw_input",
        "long",
        "unichr",
        "reduce",
        "execfile",
        "reload",
        "cmp",
        "apply",
        "intern",
    ]
)
ATTRIBUTES = frozenset(
    [
        "iteritems",
        "itervalues",
        "iterkeys",
        "has_key",
        "viewitems",
        "viewkeys",
        "viewvalues",
        "izip",
        "imap",
        "ifilter",
        "izip_longest",
        "maxint",
        "setdefaultencoding",
        "getcwdu",
        "im_func",
        "im_self",
        "func_name",
        "func_code",
    ]
)
MODULES = frozenset(
    [
        "cPickle",
        "cStringIO",
        "StringIO",
        "Queue",
        "ConfigParser",
        "urllib2",
        "urlparse",
        "httplib",
        "HTMLParser",
        "SocketServer",
        "Tkinter",
        "copy_reg",
        "__builtin__",
        "cookielib",
    ]
)
_IMPORTED = re.compile(r"cannot import name '(\w+)'")
_PRINTED_TO = "unsupported operand type(s) for >>: 'builtin_function_or_method'"


def is_python2(error: BaseException | None) -> bool:
    """Whether it was raised over something that Python 2 had, and Python 3 has not."""
    old = False
    match error:
        case SyntaxError():
            old = _is_old(error.text or "")
        case ModuleNotFoundError():
            old = error.name in MODULES
        case ImportError():
            found = _IMPORTED.search(str(error))
            old = found is not None and found[1] in ATTRIBUTES
        case NameError():
            old = error.name in NAMES
        case AttributeError():
            old = error.name in ATTRIBUTES or (error.name == "next" and hasattr(error.obj, "__next__"))
        case TypeError():
            old = _PRINTED_TO in str(error)
    return old


def told(name: str, error: SyntaxError) -> str:
    """What is wrong with a file of that name, or with one that it imports, and where; without what to do."""
    file = Path(error.filename or name).name
    who = name if file == name else f"{name} imports {file}, which"
    said = (error.msg or "").partition(". ")[0].rstrip(".")
    return f"{who} is written for Python 2: {said} ({file}:{error.lineno}: {(error.text or '').strip()[:80]})"


def _is_old(line: str) -> bool:
    return bool(_PRINT.search(line) or _OTHER.search(line)) or _same(line) is not None


def _same(line: str) -> str | None:
    """The line as Python 3 has it; None where it is no such line."""
    changed = line
    for pattern, form in _SAME:
        changed = pattern.sub(form, changed)
    return None if changed == line else changed


def readable(text: bytes) -> ast.Module | None:
    """The syntax of a file in Python 2, without its print statements; None where it has more that Python 3 has not.

    Lines keep their numbers.
    """
    try:
        lines = text.decode().splitlines()
    except UnicodeDecodeError:
        return None
    for _ in range(len(lines) + 1):
        try:
            return ast.parse("\n".join(lines) + "\n")
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 0
            if not 0 < line <= len(lines) or not _mend(lines, line - 1):
                return None
    return None


def _mend(lines: list[str], at: int) -> bool:
    """Give one line a form that Python 3 reads; False where there is none."""
    found, same = _PRINT.search(lines[at]), _same(lines[at])
    if found is not None:
        last = at + _length(lines[at:])
        lines[at:last] = [f"{lines[at][: found.start(1)]}pass", *[""] * (last - at - 1)]
    elif same is not None:
        lines[at] = same
    return found is not None or same is not None


def _length(lines: list[str]) -> int:
    """How many lines the first statement goes on for."""
    source = io.StringIO("\n".join([lines[0].lstrip(), *lines[1:]]) + "\n")
    try:
        return next(t.end[0] for t in tokenize.generate_tokens(source.readline) if t.type == tokenize.NEWLINE)
    except (tokenize.TokenError, SyntaxError, StopIteration):
        return 1
