"""What the model is made of: kinds of layers, counted; dropout layers and their modes."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from trainingdoctor.errors import Reason, Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.calling import set_mode

NORMALIZATIONS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)


@dataclass(frozen=True)
class Architecture:
    """Counts of layers and parameters. sequences: of the convolutions, those over one dimension.  normalizations: layers, and weights
    that are normalized."""

    name: str
    convolutions: int
    linear: int
    attention: int
    recurrent: int
    batchnorms: int
    normalizations: int
    dropouts: int
    parameters: int
    sequences: int = 0

    @property
    def is_deep_convolutional(self) -> bool:
        """Whether the published CIFAR and ImageNet recipes (SGD with momentum, weight decay) are made for its like."""
        return self.convolutions - self.sequences >= 10 and self.attention == 0

    @property
    def has_batchnorm(self) -> bool:
        """Whether any layer is BatchNorm."""
        return self.batchnorms > 0


def _is_attention(module: nn.Module) -> bool:
    return isinstance(module, nn.MultiheadAttention) or "attention" in type(module).__name__.lower()


def model_name(model: nn.Module) -> str:
    """Its class, or that of what DataParallel holds."""
    return type(model.module if isinstance(model, nn.DataParallel) else model).__name__


@evidence()
def architecture(model: nn.Module) -> Architecture:
    """Count what the model is made of."""
    modules = list(model.modules())
    return Architecture(
        name=model_name(model),
        convolutions=sum(isinstance(m, _ConvNd) for m in modules),
        linear=sum(isinstance(m, nn.Linear) for m in modules),
        attention=sum(_is_attention(m) for m in modules),
        recurrent=sum(isinstance(m, nn.RNNBase) for m in modules),
        batchnorms=sum(isinstance(m, _BatchNorm) for m in modules),
        normalizations=sum(map(_normalizes, modules)),
        dropouts=sum(isinstance(m, _DropoutNd) and m.p > 0 for m in modules),
        parameters=sum(p.numel() for p in model.parameters()),
        sequences=sum(isinstance(m, nn.Conv1d | nn.ConvTranspose1d) for m in modules),
    )


def _normalizes(module: nn.Module) -> bool:
    """A layer, torch's parametrization by weight or spectral norm, or the hooks of either from before it."""
    hooks = [type(h).__name__ for h in module._forward_pre_hooks.values()]
    named = [type(module).__name__, *(h for h in hooks if h in ("WeightNorm", "SpectralNorm"))]
    return isinstance(module, NORMALIZATIONS) or any("norm" in name.lower() for name in named)


@dataclass(frozen=True)
class DropoutLayer:
    """One dropout layer. p: share of values set to zero.  active_in_eval: its mode after `model.eval()`."""

    name: str
    kind: str
    p: float
    active_in_eval: bool


@evidence()
def dropout_layers(model: nn.Module) -> tuple[DropoutLayer, ...]:
    """The model's dropout layers with a probability above 0."""
    layers = {n: m for n, m in model.named_modules() if isinstance(m, _DropoutNd) and m.p > 0}
    if not layers:
        raise Unavailable("the model has no dropout layer")
    set_mode(model, False)
    return tuple(DropoutLayer(n, type(m).__name__, float(m.p), m.training) for n, m in layers.items())


def require_watchable(model: nn.Module) -> None:
    """Raise Unavailable where hooks cannot be put on a layer."""
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            said = f"{name or 'the model'} is a ScriptModule, which lets nobody watch its layers: diagnose the model that it was made of"
            raise Unavailable(said, Reason.FAILED)
