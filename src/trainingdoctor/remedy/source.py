"""A source file as a tree whose nodes can be found by place, changed, and written back with everything else as it was."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import libcst as cst
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor
from libcst.metadata import CodeRange, MetadataWrapper, ParentNodeProvider, PositionProvider

from trainingdoctor.observing.places import Place

Node = TypeVar("Node", bound=cst.CSTNode)
Change = Callable[[Any], Any]
# Names of libraries in the texts of edits, written out in full there.
FULL_NAME = re.compile(r"\b(?:torch|torchvision|numpy)(?:\.\w+)+")


class Unplaceable(Exception):
    """An edit that cannot be made safely; the message is a sentence for people."""


@dataclass
class Source:
    """One file under change. Changes of one node follow one another; the tree itself is only read until `written`."""

    file: Path
    text: str
    changes: dict[cst.CSTNode, list[Change]] = field(default_factory=lambda: defaultdict(list))
    imports: set[str] = field(default_factory=set)

    @cached_property
    def _wrapper(self) -> MetadataWrapper:
        return MetadataWrapper(cst.parse_module(self.text), unsafe_skip_copy=True)

    @property
    def module(self) -> cst.Module:
        """The tree as it was read."""
        return self._wrapper.module

    @cached_property
    def _positions(self) -> dict[cst.CSTNode, CodeRange]:
        return dict(cast(Any, self._wrapper.resolve(PositionProvider)))

    @cached_property
    def _by_place(self) -> dict[Place, list[cst.CSTNode]]:
        found: dict[Place, list[cst.CSTNode]] = defaultdict(list)
        for node in self._positions:
            found[self.place(node)].append(node)
        return found

    @cached_property
    def _parents(self) -> dict[cst.CSTNode, cst.CSTNode]:
        return dict(cast(Any, self._wrapper.resolve(ParentNodeProvider)))

    def change(self, node: cst.CSTNode, how: Change) -> None:
        """Have a node replaced by what `how` makes of it, after the changes of it and within it that came before."""
        self.changes[node].append(how)

    def at(self, place: Place, kind: type[Node]) -> Node:
        """The node of this kind exactly there. Raises Unplaceable."""
        for node in self._by_place.get(place, ()):
            if isinstance(node, kind):
                return node
        raise Unplaceable(f"{place} does not hold what built it any more")

    def place(self, node: cst.CSTNode) -> Place:
        """Where a node stands."""
        span = self._positions[node]
        return Place(self.file, span.start.line, span.start.column, span.end.line, span.end.column)

    def holds(self, outer: cst.CSTNode, inner: cst.CSTNode) -> bool:
        """Whether a node stands within another one."""
        a, b = self.place(outer), self.place(inner)
        return (
            outer is not inner
            and (a.line, a.column) <= (b.line, b.column)
            and (b.end_line, b.end_column) <= (a.end_line, a.end_column)
        )

    def parent(self, node: cst.CSTNode) -> cst.CSTNode:
        """The node around a node."""
        return self._parents[node]

    def around(self, node: cst.CSTNode, kind: type[Node]) -> Node:
        """The innermost node of this kind around a node. Raises Unplaceable where there is none."""
        outer = self._parents.get(node)
        while outer is not None and not isinstance(outer, kind):
            outer = self._parents.get(outer)
        if outer is None:
            raise Unplaceable(f"{self.file.name} has no statement there that could be changed")
        return outer

    def all(self, kind: type[Node]) -> Iterator[Node]:
        """All nodes of a kind, in the order of the source."""
        yield from (n for n in self._positions if isinstance(n, kind))

    def line(self, node: cst.CSTNode) -> int:
        """Where a node begins, from 1."""
        return int(self._positions[node].start.line)

    def shown(self, node: cst.CSTNode) -> str:
        """A node as source."""
        return self.module.code_for_node(node)

    def expression(self, text: str) -> cst.BaseExpression:
        """Parse an edit's text, its full names spelled with this file's imports."""
        return cst.parse_expression(self.spelled(text))

    def spelled(self, text: str) -> str:
        """`torch.nn.Identity()` as this file says it: `nn.Identity()` where it has nn; adds `import torch` where it has nothing."""
        return FULL_NAME.sub(lambda m: self._spelled(m.group()), text)

    def _spelled(self, name: str) -> str:
        known = sorted(self._imported.items(), key=lambda item: -len(item[1]))
        for local, full in known:
            if name == full or name.startswith(f"{full}."):
                return local + name[len(full) :]
        self.imports.add(name.rpartition(".")[0] if name.startswith("torchvision.") else name.partition(".")[0])
        return name

    def full_name(self, node: cst.CSTNode) -> str:
        """`conf.settings.LR` for `settings.LR` after `from conf import settings`; "" where its beginning is not imported."""
        root, _, rest = self.shown(node).partition(".")
        full = self._imported.get(root)
        return "" if full is None else f"{full}.{rest}".rstrip(".")

    @cached_property
    def _imported(self) -> dict[str, str]:
        """Local names of what the file imports, with their full names."""
        found: dict[str, str] = {}
        for statement in self.all(cst.Import):
            for alias in statement.names:
                full = self.shown(alias.name)
                local = self.shown(alias.asname.name) if alias.asname else full.partition(".")[0]
                found[local] = full if alias.asname else full.partition(".")[0]
        for origin in self.all(cst.ImportFrom):
            if origin.module is None or origin.relative or isinstance(origin.names, cst.ImportStar):
                continue
            for alias in origin.names:
                local = self.shown(alias.asname.name if alias.asname else alias.name)
                found[local] = f"{self.shown(origin.module)}.{self.shown(alias.name)}"
        return found

    def written(self) -> str:
        """The file with all changes made."""
        module = self.module.visit(_Changer(self.changes))
        context = CodemodContext()
        for name in sorted(self.imports):
            AddImportsVisitor.add_needed_import(context, name)
        assert isinstance(module, cst.Module)
        return AddImportsVisitor(context).transform_module(module).code if self.imports else module.code


class _Changer(cst.CSTTransformer):
    def __init__(self, changes: dict[cst.CSTNode, list[Change]]) -> None:
        super().__init__()
        self.changes = changes

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        for change in self.changes.get(original_node, ()):
            updated_node = change(updated_node)
        return updated_node
