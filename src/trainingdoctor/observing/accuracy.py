"""The accuracy that a script prints, beside a count of its right predictions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby
from typing import Any

from torch import Tensor

from trainingdoctor.measure.batches import tensors
from trainingdoctor.measure.schedule import steps_per_epoch
from trainingdoctor.observing.seen import AccuracySeen
from trainingdoctor.observing.single import READINGS, counts, is_single

# Batches to count and texts to keep of a pass, and lines with an accuracy from which on they are one per class or the like.
MOST_BATCHES, MOST_TEXTS, MOST_LINES = 2000, 400, 3
# Points that a reading of what was said may be off.
SAME = 0.05
# A share of right predictions, and by what it was made smaller: the samples that it is divided by, over those that were seen.
Share = tuple[float, float]
_WORD = re.compile(r"\bacc(?:uracy|uracies)?\b|[a-z_]*_acc(?:uracy)?\b|\bacc(?:uracy)?[@_]?1\b|\bprec@1\b")
_OTHER = re.compile(r"loss|time|\blr\b|rate|epoch|step|iter|err|recall|\bf1\b|\beta\b|auc|it/s|batch|best|@5|top")
_NOT_PLAIN = re.compile(r"class|balanced|mean|per-|iou|mixup|train|trn|\btr\b|tr_acc")
_NUMBER = re.compile(r"(?<![\w.@])(\d+(?:\.(\d+))?(?:e-?\d+)?)\s*(%?)")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(eq=False)
class Count:
    """Right predictions of one pass. right, of: by batch; for models of one output what each of READINGS counts.  said: what
    was printed, with the batches counted by then."""

    right: list[Tensor] = field(default_factory=list)
    of: list[int] = field(default_factory=list)
    last: int = -1
    doubtful: bool = False
    said: list[tuple[int, str]] = field(default_factory=list)
    where: str = ""

    def add(self, output: Any, targets: Any, batch: int) -> None:
        """Count one forward pass. targets: of the loader.  Two in one batch, as of views of it, cannot be counted by us."""
        logits = next(tensors(output), None)
        self.doubtful = self.doubtful or batch == self.last or len(self.of) == MOST_BATCHES
        counted = None if self.doubtful or logits is None else _counted(logits, targets)
        if counted is None:
            self.doubtful = True
            return
        self.last = batch
        self.right.append(counted)
        self.of.append(len(targets))

    def hear(self, text: str, where: str) -> None:
        """Something was printed. where: by which line, if it says an accuracy."""
        if len(self.said) < MOST_TEXTS:
            self.said.append((len(self.of), text))
            self.where = where or self.where

    @property
    def is_single(self) -> bool:
        """Whether the model has one output."""
        return any(len(r) > 1 for r in self.right)

    def rights(self, reading: int = 0) -> list[int]:
        """The counts as numbers."""
        return [int(r[min(reading, len(r) - 1)]) for r in self.right]

    def shares(self, loader: Any, reading: int = 0) -> list[Share]:
        """What the accuracy of the whole pass may be said to be: passes are ended early, and divided by their planned length."""
        if not self.of:
            return []
        rights = self.rights(reading)
        right, planned, length = sum(rights), steps_per_epoch(loader), lengths(loader)
        by_batch = sum(r / n for r, n in zip(rights, self.of, strict=True))
        whole = [(right / n, n / sum(self.of)) for n in length]
        if planned:
            part = planned / len(self.of)
            whole += [(by_batch / planned, part), (right / (planned * self.of[0]), part)]
        return [(right / sum(self.of), 1.0), (by_batch / len(self.of), 1.0), *whole]

    def at(self, batches: int, reading: int = 0) -> list[Share]:
        """What it may be said to be while the pass goes on: so far, and of the last batch."""
        found, rights = [], self.rights(reading)
        for i in {batches, max(batches - 1, 1), min(batches + 1, len(self.of))}:
            right, of = rights[:i], self.of[:i]
            if of:
                found += [sum(right) / sum(of), sum(r / n for r, n in zip(right, of, strict=True)) / i]
                found.append(right[-1] / of[-1])
        return [(share, 1.0) for share in found]


def says_accuracy(text: str) -> bool:
    """Whether a text holds the word."""
    return bool(_WORD.search(text.lower()))


def _counted(logits: Tensor, targets: Any) -> Tensor | None:
    """Right predictions of a batch, left on its device: to look at them would wait for the GPU in every batch."""
    if _countable(logits, targets):
        right: Tensor = logits.detach().argmax(1) == targets.to(logits.device)
        return right.sum()[None]
    return counts(logits, targets) if is_single(logits, targets) else None


def _countable(logits: Tensor, targets: Any) -> bool:
    """Whether these are scores of two classes or more, and the number of one for each sample."""
    return (
        logits.ndim == 2
        and logits.shape[1] > 1
        and isinstance(targets, Tensor)
        and targets.shape == logits.shape[:1]
        and not targets.is_floating_point()
    )


def lengths(loader: Any) -> list[int]:
    """Samples of its data set and of its sampler, as far as they are known."""
    found = []
    for part in (getattr(loader, "dataset", None), getattr(loader, "sampler", None)):
        try:
            found.append(len(part))  # type: ignore[arg-type]
        except (TypeError, NotImplementedError):
            continue
    return [n for n in found if n]


def accuracy_seen(passes: Sequence[Any], reading: int | None = None) -> AccuracySeen | None:
    """Of the last evaluation in and after which an accuracy was printed; None where none was, or it cannot be counted.

    reading: the one of READINGS that is right for models of one output; None where nobody knows.
    """
    told = [(i, p, lines) for i, p in enumerate(passes) if p.kind == "evaluation" and (lines := _lines(p.count.said))]
    if not told:
        return None
    last, seen, lines = told[-1]
    after = [line for batches, line, _ in lines if batches == len(seen.count.of)]
    if seen.count.doubtful or not seen.count.of or len(after) > MOST_LINES:
        return None
    if seen.count.is_single and reading is None:
        return None

    def off(told: int) -> list[float]:
        """Points off, for each number and each share that it can mean."""
        totals = list(accumulate(seen.count.rights(told)))
        other = [share for p in passes[: last + 1] for share in p.count.shares(p.loader, told)]
        return [
            100 * _off(number, [share], totals)
            for batches, _, numbers in lines
            for number in numbers
            for share in (*seen.count.at(batches, told), *other)
        ]

    right, of = sum(seen.count.rights(reading or 0)), sum(seen.count.of)
    found = AccuracySeen(lines[-1][1], 100 * right / of, of, min(off(reading or 0)), seen.count.where)
    return _as_read(found, reading or 0, [off(r) for r in range(len(READINGS))]) if seen.count.is_single else found


def _as_read(found: AccuracySeen, right: int, off: Sequence[Sequence[float]]) -> AccuracySeen:
    """With the wrong reading that gives what was said; without one, the threshold may be one of the user's own.

    Where the right one does not give it, it is off by what it gives for the share that the wrong one gives exactly.
    """
    nearest = min(range(len(off)), key=lambda r: min(off[r]))
    if min(off[nearest]) > SAME:
        return replace(found, off=0.0)
    meant = [other for own, other in zip(off[nearest], off[right], strict=True) if own <= SAME]
    return replace(found, reading=READINGS[nearest], off=min(meant) if found.off > SAME else found.off)


@dataclass(frozen=True)
class _Printed:
    """A number that follows the word accuracy. readings: as shares.  rounding: of its last digit.  count: if it is one."""

    readings: tuple[float, ...]
    rounding: float
    count: float | None = None


def _off(number: _Printed, shares: Sequence[Share], counts: Sequence[float]) -> float:
    if number.count in counts:
        return 0.0
    return min(scale * max(abs(r - s) - number.rounding, 0.0) for r in number.readings for s, scale in shares)


def _lines(said: Sequence[tuple[int, str]]) -> list[tuple[int, str, list[_Printed]]]:
    """Lines that say an accuracy of all that was evaluated: batches counted by then, the line, its numbers."""
    pieces = [(batches, part) for batches, text in said for part in re.split(r"([\n\r])", text) if part]
    found = []
    for ends, group in groupby(pieces, key=lambda piece: piece[1] in "\n\r"):
        parts = list(group)
        line = _ESCAPES.sub("", "".join(text for _, text in parts)).strip()
        numbers = [] if ends else list(_numbers(line.lower()))
        if numbers:
            found.append((parts[-1][0], line, numbers))
    return found


def _numbers(line: str) -> Iterator[_Printed]:
    before = 0
    for word in _WORD.finditer(line):
        if _NOT_PLAIN.search(line[before : word.end()]):
            before = word.end()
            continue
        other = _OTHER.search(line, word.end())
        end = other.start() if other else len(line)
        if _NOT_PLAIN.search(line[word.end() : end]):
            continue
        for number in _NUMBER.finditer(line, word.end(), end):
            yield from _printed(*number.groups())
        before = end


def _printed(digits: str, decimals: str | None, percent: str) -> Iterator[_Printed]:
    value, unit = float(digits), 10.0 ** -len(decimals or "")
    if percent or 1 < value <= 100:
        yield _Printed((value / 100,), unit / 100, None if percent else value)
    elif value <= 1:
        # Python prints 0.0 and 0.5 as they are: one decimal of a share is no rounding.
        yield _Printed((value, value / 100), unit if len(decimals or "") > 1 else 0.0)
