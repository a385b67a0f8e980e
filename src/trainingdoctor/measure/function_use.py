"""Functions that a model calls in evaluation mode: dropout that is on all the same, and softmax over samples or over one value."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, forward, tensors
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.peaks import peak_of, peak_of_call
from trainingdoctor.measure.prediction import prediction
from trainingdoctor.observing.places import Place, is_users, place_of, syntax, users_place

DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
FUNCTIONAL = torch.nn.functional.__file__
ATTENTION = "scaled_dot_product_attention"
SOFTMAXES = ("softmax", "log_softmax")
# Samples of the two batches whose softmaxes are compared.
MANY, FEW = 7, 4


@dataclass(frozen=True)
class DropoutCall:
    """Dropout that is on in evaluation mode. name: of the function, or of the layer that the model does not know of.

    said: the call says that it is on, as for Monte Carlo dropout.  where: file:line, "" where it is not the user's.
    """

    name: str
    p: float
    said: bool
    where: str


@dataclass(frozen=True)
class FunctionUse:
    """dropouts: each once.  over_batch: places of softmaxes over the samples of a batch, "" outside of the user's code.

    over_one: places in the user's code, or layers of the user's Sequential, whose softmaxes all go over a single value.
    softmaxes: places that have some.  peaks: of each attention of positions to each other, the share that goes to one of them, the mean over
    positions.
    """

    dropouts: tuple[DropoutCall, ...] = ()
    over_batch: tuple[str, ...] = ()
    over_one: tuple[str, ...] = ()
    softmaxes: int = 0
    peaks: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Softmax:
    """One call. over: the dimension.  own: the user's code calls it, or its layer, and no layer of a library does."""

    shape: tuple[int, ...]
    over: int
    where: str
    own: bool


@evidence(cost="probe")
def function_use(model: nn.Module, train_batches: tuple[Batch, ...]) -> FunctionUse:
    """Predict two batches of different sizes in evaluation mode, and watch the functions that are called."""
    set_mode(model, False)
    many = train_batches[0].first(MANY)
    few = many.first(FEW)
    watching = _Watching(model)
    with torch.no_grad(), watching:
        outputs = [prediction(forward(model, many))]
        first, watching.softmaxes = watching.softmaxes, []
        peaks = tuple(watching.peaks)
        outputs.append(prediction(forward(model, few)))
    sampled = [len(o) == b.size and _one_target_each(b) for o, b in zip(outputs, (many, few), strict=True)]
    pairs = list(zip(first, watching.softmaxes, strict=False)) if all(sampled) and many.size > few.size else []
    found = dict.fromkeys(a.where for a, b in pairs if _over_batch(a, b, many.size, few.size))
    own = [s for s in (*first, *watching.softmaxes) if s.own]
    return FunctionUse(
        tuple(dict.fromkeys(watching.dropouts)), tuple(found), _over_one(own), len({s.where for s in own}), peaks
    )


def _over_one(softmaxes: list[_Softmax]) -> tuple[str, ...]:
    """Places at which no call has two values to share out: attention over a context that grows begins with one."""
    longest: dict[str, int] = {}
    for softmax in softmaxes:
        longest[softmax.where] = max(longest.get(softmax.where, 0), softmax.shape[softmax.over])
    return tuple(where for where, length in longest.items() if length == 1)


def _one_target_each(batch: Batch) -> bool:
    """Where samples have several targets, or are a number each, the first dimension may be time."""
    target, first = next(tensors(batch.targets), None), next(tensors(batch.inputs), None)
    wide = first is not None and first.ndim > 1
    return wide and target is not None and target.shape[:1] == (batch.size,) and not batch.has_several_targets


def _over_batch(many: _Softmax, few: _Softmax, most: int, least: int) -> bool:
    """Whether that dimension is the batch, and nothing else grows with it as in attention between nodes of a graph."""
    sizes = (many.shape[many.over], few.shape[few.over]) == (most, least)
    return sizes and many.over == few.over and _without(many) == _without(few)


def _without(softmax: _Softmax) -> tuple[int, ...]:
    """The other dimensions."""
    return softmax.shape[: softmax.over] + softmax.shape[softmax.over + 1 :]


class _Watching(TorchFunctionMode):
    """Takes down each dropout that is on, and each softmax."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.known = {id(m): name for name, m in model.named_modules()}
        self.dropouts: list[DropoutCall] = []
        self.softmaxes: list[_Softmax] = []
        self.peaks: list[float] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in DROPOUTS and kwargs.get("training") and kwargs.get("p"):
            self.dropouts += _dropout(name, float(kwargs["p"]), self.known)
        elif name == ATTENTION:
            self._look_at(peak_of_call(args, kwargs))
            if p := kwargs.get("dropout_p", next(iter(args[4:]), 0.0)):
                self.dropouts += _attention(name, float(p))
        elif name in SOFTMAXES and args and isinstance(args[0], Tensor) and args[0].ndim:
            where, own = self._place()
            over = _dimension(args, kwargs)
            self.softmaxes.append(_Softmax(tuple(args[0].shape), over, where, own))
            result = func(*args, **kwargs)
            if name == SOFTMAXES[0]:
                self._look_at(peak_of(result, over))
            return result
        return func(*args, **kwargs)

    def _look_at(self, peak: float | None) -> None:
        if peak is not None:
            self.peaks.append(peak)

    def _place(self) -> tuple[str, bool]:
        """file:line, or the layer's name where the user's model is a Sequential and has no line that calls it; and whether it is own."""
        frame, layer = _caller_of_layer()
        if frame is None:
            return users_place(), False
        if id(layer) in self.known and str(frame.f_globals.get("__name__", "")).startswith("trainingdoctor."):
            return f"model.{self.known[id(layer)]}".rstrip("."), True
        return users_place(), is_users(frame.f_code.co_filename)


def _dimension(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Of a softmax; where none is given it is the first one of tensors with one or three dimensions."""
    ndim, given = args[0].ndim, kwargs.get("dim", next(iter(args[1:]), None))
    if not isinstance(given, int):
        return 0 if ndim in (1, 3) else 1
    return int(given) % int(ndim)


def _caller() -> FrameType | None:
    """Who called the function of torch."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename in (__file__, torch.overrides.__file__, FUNCTIONAL):
        frame = frame.f_back
    return frame


def _caller_of_layer() -> tuple[FrameType | None, Any]:
    """Who called the function, or the layer that it is all of; and that layer, None where it is none."""
    frame = _caller()
    layer = frame.f_locals.get("self") if frame is not None else None
    if not isinstance(layer, nn.Softmax | nn.LogSoftmax):
        return frame, None
    while frame is not None and not is_users(frame.f_code.co_filename) and _is_call(frame, layer):
        frame = frame.f_back
    return frame, layer


def _is_call(frame: FrameType, layer: nn.Module) -> bool:
    """Whether this is the call of that layer, or of a Sequential that it is in."""
    caller = frame.f_locals.get("self")
    return caller is layer or isinstance(caller, nn.Sequential)


def _dropout(name: str, p: float, known: Container[int]) -> Iterator[DropoutCall]:
    frame = _caller()
    if frame is None:
        return
    layer = frame.f_locals.get("self")
    if isinstance(layer, _DropoutNd) and not is_users(frame.f_code.co_filename):
        if id(layer) not in known:
            yield DropoutCall(type(layer).__name__, p, False, users_place())
    elif is_users(frame.f_code.co_filename):
        yield DropoutCall(name, p, _says_mode(place_of(frame)), users_place())


def _attention(name: str, p: float) -> Iterator[DropoutCall]:
    frame = _caller()
    if frame is not None and is_users(frame.f_code.co_filename):
        yield DropoutCall(name, p, False, users_place())


def _says_mode(place: Place | None) -> bool:
    """Whether the call gives `training`, by its name or as the third argument; where its source is not there it may."""
    tree = None if place is None else syntax(str(place.file))
    if place is None or tree is None:
        return True
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and _is_at(n, place)]
    unsaid = [c for c in calls if len(c.args) < 3 and not any(k.arg in ("training", None) for k in c.keywords)]
    return not calls or len(unsaid) < len(calls)


def _is_at(node: ast.Call, place: Place) -> bool:
    begins, ends = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    return (begins, ends) == ((place.line, place.column), (place.end_line, place.end_column))
