"""Python 2, told by its source and by what is raised."""

import ast

import pytest

from trainingdoctor.python2 import is_python2, readable, told

OLD = (
    'print "a"',
    "if x: print x, y",
    "raise ValueError, 'x'",
    "if a <> b: pass",
    "x = 0777",
    "x = 10L",
    'exec "x"',
    "x = `y`",
    "x = ur'y'",
    "f = lambda (a, b): a",
    "def f(a, (b, c)): pass",
)
NEW = ("model = (", "print = 3 4", "print(x", "print (a b)", "x = 1.50 0.07 y", "def f(:", "foo bar", "x = {1: 2")
MIXED = """
class Net:
    def forward(self, x):
        print "a %d" % (3,
                        4)
        if x:
            print "a", \\
                b
        try:
            x()
        except A, e:
            raise B, "c"
        return x
"""
READ = """
class Net:

    def forward(self, x):
        pass
        if x:
            pass
        try:
            x()
        except A as e:
            raise B('c')
        return x
"""


def mistake(source: str) -> SyntaxError:
    with pytest.raises(SyntaxError) as raised:
        compile(source, "old.py", "exec")
    return raised.value


@pytest.mark.parametrize(("lines", "old"), [(OLD, True), (NEW, False)])
def test_a_mistake_is_told_from_an_older_grammar(lines: tuple[str, ...], old: bool) -> None:
    assert [line for line in lines if is_python2(mistake(line + "\n")) != old] == []


def test_the_sentence_names_the_file_with_the_line() -> None:
    where = "Missing parentheses in call to 'print' (old.py:1: print 'a')"
    assert told("old.py", mistake("print 'a'\n")) == f"old.py is written for Python 2: {where}"
    assert (
        told("train.py", mistake("print 'a'\n")) == f"train.py imports old.py, which is written for Python 2: {where}"
    )


def test_the_rest_is_read_with_its_lines() -> None:
    tree = readable(MIXED.encode())
    assert tree is not None
    assert ast.unparse(tree).strip() == READ.strip()
    assert tree.body[0].end_lineno == len(MIXED.strip().splitlines()) + 1
    assert readable(b"print 'a'\nx = (\n") is None
    assert readable(b"\xff\xfe") is None


@pytest.mark.parametrize(
    ("source", "old"),
    [
        ("xrange(3)", True),
        ("xrnge(3)", False),
        ("{}.iteritems()", True),
        ("iter([]).next()", True),
        ("[].next()", False),
        ("import cPickle", True),
        ("import not_there_at_all", False),
        ("from itertools import izip", True),
        ("import sys\nprint >>sys.stderr, 'a'", True),
        ("1 >> 'a'", False),
    ],
)
def test_what_is_raised_is_told_by_its_names(source: str, old: bool) -> None:
    with pytest.raises((NameError, AttributeError, ImportError, TypeError)) as raised:
        exec(source, {})
    assert is_python2(raised.value) is old
