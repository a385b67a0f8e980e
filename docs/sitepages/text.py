"""Plain text as Markdown."""

import re
from collections.abc import Callable, Iterable

_SPAN = re.compile(r"(`[^`]+`)")
_CODE = re.compile(r"\b[a-z0-9_]+\.[a-z0-9_]+\b")
_SPECIAL = re.compile(r"([\\*_\[\]#|])")
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def escaped(text: str) -> str:
    """Text in which nothing is taken for Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))


def prose(text: str, known: Iterable[str] = (), link: Callable[[str], str] = str) -> str:
    """A docstring's paragraph: literals as they are, every known code a link, all else escaped."""
    codes = frozenset(known)

    def outside(part: str) -> str:
        at, made = 0, ""
        for match in _CODE.finditer(part):
            if match[0] in codes:
                made += escaped(part[at : match.start()]) + f"[`{match[0]}`]({link(match[0])})"
                at = match.end()
        return made + escaped(part[at:])

    def literal(part: str) -> str:
        return f"[{part}]({link(part[1:-1])})" if part[1:-1] in codes else part

    return "".join(literal(p) if p.startswith("`") else outside(p) for p in _SPAN.split(" ".join(text.split())))


def sentence(text: str) -> str:
    """With a capital where it begins with a word, and not with code."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+[ ,:]", text) else text


def reference(text: str) -> str:
    """A reference, its arXiv number a link."""
    return _ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", escaped(text))


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown; cells are Markdown, with no line breaks in them."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *([" ".join(cell.split()) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def fenced(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```\n"
