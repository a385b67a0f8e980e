"""The reference run: the ResNet-110 that proves a recipe."""

from trainingdoctor.reference.data import generated_images, load_images
from trainingdoctor.reference.recipe import RECIPES, Recipe
from trainingdoctor.reference.resnet import CifarResNet, resnet20, resnet110
from trainingdoctor.reference.run import RunResult, train_resnet110
from trainingdoctor.reference.settings import Settings
from trainingdoctor.reference.train import EpochMetrics

__all__ = [
    "RECIPES",
    "CifarResNet",
    "EpochMetrics",
    "Recipe",
    "RunResult",
    "Settings",
    "generated_images",
    "load_images",
    "resnet20",
    "resnet110",
    "train_resnet110",
]
