"""Families of models and public data sets are recognized by what they are made of."""

from typing import Any

import pytest
import torch
import torchvision.models as zoo
from torch import nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.dataset import DatasetFacts
from trainingdoctor.measure.family import ModelFamily, model_family
from trainingdoctor.measure.known_data import KnownData, known_dataset
from trainingdoctor.measure.layers import architecture
from trainingdoctor.reference.resnet import CifarResNet


def family(model: nn.Module) -> ModelFamily:
    found: ModelFamily = model_family(model, architecture(model))
    return found


def wide(width: int) -> nn.Module:
    model = CifarResNet(20)
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Conv2d):
            owner = model.get_submodule(name.rpartition(".")[0]) if "." in name else model
            stem = name == "conv1"
            ins = 3 if stem else module.in_channels * width
            outs = module.out_channels * (1 if stem else width)
            setattr(owner, name.rpartition(".")[2], nn.Conv2d(ins, outs, 3, module.stride, 1, bias=False))
    return model


def cnn() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.Flatten(), nn.Linear(64, 10))


def tokens() -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 2, 32)
    return nn.Sequential(nn.Embedding(100, 16), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False))


@pytest.mark.parametrize(
    ("build", "name", "title"),
    [
        (lambda: CifarResNet(20), "cifar-resnet", "ResNet-20 of width 16"),
        (lambda: CifarResNet(110), "cifar-resnet", "ResNet-110 of width 16"),
        (lambda: wide(4), "wide-resnet", "WideResNet of width 4"),
        (zoo.resnet18, "resnet", "ResNet-18"),
        (zoo.resnet50, "resnet", "ResNet-50"),
        (zoo.vgg16_bn, "vgg", "VGG of 13 convolutions"),
        (zoo.densenet121, "densenet", "DenseNet with growth 32"),
        (lambda: zoo.VisionTransformer(32, 4, 2, 2, 16, 32), "vit", "vision transformer"),
        (tokens, "transformer", "transformer on tokens"),
        (lambda: nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10)), "mlp", "MLP of 2 layers"),
        (cnn, "cnn", "CNN of 2 convolutions"),
    ],
)
def test_families(build: Any, name: str, title: str) -> None:
    with torch.device("meta"):
        found = family(build())
    assert (found.name, found.title) == (name, title)


@pytest.mark.parametrize("build", [zoo.mobilenet_v2, zoo.resnext50_32x4d, zoo.squeezenet1_1, lambda: nn.LSTM(4, 4)])
def test_strangers_are_not_guessed(build: Any) -> None:
    with torch.device("meta"), pytest.raises(Unavailable, match="no family"):
        family(build())


def facts(name: str, size: int | None = 50_000, classes: tuple[str, ...] = ()) -> DatasetFacts:
    return DatasetFacts(name, size, size, classes, (), (), False)


def of(name: str, classes: tuple[str, ...] = (), width: int | None = 10, size: int = 50_000) -> KnownData:
    found: KnownData = known_dataset(facts(name, size, classes), (Batch(torch.zeros(2, 3, 32, 32), None),), None, width)
    return found


def test_data_sets_by_class() -> None:
    assert of("CIFAR10") == of("Cifar10") == of("MyCIFAR_10") == KnownData("CIFAR-10", "class")
    assert of("CIFAR100").name == "CIFAR-100"
    assert of("FashionMNIST").name == "Fashion-MNIST"
    assert of("MNIST").name == "MNIST"


def test_data_sets_by_shape() -> None:
    assert of("TensorDataset") == KnownData("CIFAR-10", "shape")
    assert of("ImageFolder", ("airplane", "automobile")).by == "shape"
    assert of("TensorDataset", width=100).name == "CIFAR-100"


@pytest.mark.parametrize(
    ("name", "classes", "width", "size"),
    [
        ("Waves", ("wave 0",), 10, 50_000),
        ("TensorDataset", (), 10, 45_000),
        ("EMNIST", (), 10, 50_000),
        ("X", (), 7, 5),
    ],
)
def test_other_data_is_not_guessed(name: str, classes: tuple[str, ...], width: int, size: int) -> None:
    with pytest.raises(Unavailable, match="none of those"):
        of(name, classes, width, size)


def test_normalized_weights_and_convolutions_over_sequences_are_counted() -> None:
    convolution = nn.Conv1d(4, 4, 3)
    sides = nn.utils.weight_norm(convolution), nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 4, 3))
    assert [architecture(side).normalizations for side in sides] == [1, 1]
    deep = nn.Sequential(*(nn.Conv1d(4, 4, 3) for _ in range(12)))
    assert architecture(deep).normalizations == 0
    assert (architecture(deep).convolutions, architecture(deep).is_deep_convolutional) == (12, False)


def test_a_model_in_data_parallel_is_named_by_its_own_class() -> None:
    assert architecture(nn.DataParallel(nn.Linear(2, 2))).name == "Linear"
