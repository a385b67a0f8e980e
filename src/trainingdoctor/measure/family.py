"""Which published family of models this one belongs to, told from its layers, not from its name."""

from dataclasses import dataclass

from torch import nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.layers import Architecture


@dataclass(frozen=True)
class ModelFamily:
    """name: as in recipes.toml.  title: for people.  parameters: how many numbers the model holds."""

    name: str
    title: str
    parameters: int


@evidence()
def model_family(model: nn.Module, architecture: Architecture) -> ModelFamily:
    """Recognize the family; Unavailable where the layers fit none."""
    name, title = _transformer(model, architecture) or _convolutional(model, architecture) or _plain(architecture)
    if not name:
        raise Unavailable(f"{architecture.name} belongs to no family with a known recipe")
    return ModelFamily(name, title, architecture.parameters)


Named = tuple[str, str]
NOBODY: Named = ("", "")


def _transformer(model: nn.Module, facts: Architecture) -> Named | None:
    if not facts.attention:
        return None
    if facts.convolutions == 0 and any(isinstance(m, nn.Embedding) for m in model.modules()):
        return "transformer", "transformer on tokens"
    return ("vit", "vision transformer") if facts.convolutions <= 3 else NOBODY


def _plain(facts: Architecture) -> Named:
    """Few layers and no structure that a recipe depends on."""
    if facts.recurrent:
        return NOBODY
    if facts.convolutions == 0:
        return ("mlp", f"MLP of {facts.linear} layers") if facts.linear >= 2 else NOBODY
    return ("cnn", f"CNN of {facts.convolutions} convolutions") if facts.convolutions <= 6 else NOBODY


def _convolutional(model: nn.Module, facts: Architecture) -> Named | None:
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    spatial = [c for c in convolutions if max(c.kernel_size) > 1]
    if len(spatial) < 7 or not facts.has_batchnorm:
        return None
    if facts.recurrent or any(c.groups > 1 for c in convolutions):
        return NOBODY
    pools = sum(isinstance(m, nn.MaxPool2d) for m in model.modules())
    return _vgg(spatial, pools) or _residual(convolutions, spatial)


def _vgg(spatial: list[nn.Conv2d], pools: int) -> Named | None:
    """Blocks of convolutions of stride 1 with pools between them."""
    strides = all(max(c.stride) == 1 for c in spatial)
    fits = strides and pools >= 4 and {c.out_channels for c in spatial} <= {64, 128, 256, 512}
    return ("vgg", f"VGG of {len(spatial)} convolutions") if fits else None


def _residual(convolutions: list[nn.Conv2d], spatial: list[nn.Conv2d]) -> Named:
    stem, widths = spatial[0].out_channels, sorted({c.out_channels for c in spatial[1:]})
    if len(widths) == 1 and len(convolutions) > 20:
        return "densenet", f"DenseNet with growth {widths[0]}"
    if widths == [16, 32, 64] and stem == 16:
        return "cifar-resnet", f"ResNet-{len(spatial) + 1} of width 16"
    wide = [w for w in widths if w != stem]
    if stem == 16 and len(wide) == 3 and [w // wide[0] for w in wide] == [1, 2, 4] and wide[0] % 16 == 0:
        return "wide-resnet", f"WideResNet of width {wide[0] // 16}"
    if stem == 64 and widths == [64, 128, 256, 512]:
        bottleneck = max(c.out_channels for c in convolutions) == 2048
        return "resnet", f"ResNet-{_depth(len(spatial), bottleneck)}"
    return NOBODY


def _depth(spatial: int, bottleneck: bool) -> int:
    """Layers with weights, as the paper counts them: shortcuts left out, the classifier counted."""
    return 3 * (spatial - 1) + 2 if bottleneck else spatial + 1
