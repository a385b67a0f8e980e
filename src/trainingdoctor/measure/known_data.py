"""Which public data set the training uses, told from its class, or from size, shape and classes."""

from dataclasses import dataclass

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, tensors
from trainingdoctor.measure.dataset import DatasetFacts
from trainingdoctor.measure.targets import Targets


@dataclass(frozen=True)
class KnownData:
    """name: as in recipes.toml.  by: "class" when the data set's class says so, "shape" when only its numbers agree."""

    name: str
    by: str


# Parts of class names (lower case, letters and digits only), most specific first.
BY_CLASS = {
    "cifar100": "CIFAR-100",
    "cifar10": "CIFAR-10",
    "fashionmnist": "Fashion-MNIST",
    "kmnist": "KMNIST",
    "emnist": None,
    "qmnist": "MNIST",
    "mnist": "MNIST",
    "svhn": "SVHN",
    "tinyimagenet": None,
    "imagenet": "ImageNet",
}
# (samples, channels, side, classes) that belong to one data set only, and a class name that it has.
BY_SHAPE = ((50_000, 3, 32, 10, "CIFAR-10", "plane"), (50_000, 3, 32, 100, "CIFAR-100", "apple"))


@evidence(cost="probe", optional=("train_batches", "targets", "num_classes"))
def known_dataset(
    dataset_facts: DatasetFacts,
    train_batches: tuple[Batch, ...] | None,
    targets: Targets | None,
    num_classes: int | None,
) -> KnownData:
    """Recognize the data set; Unavailable where it is none of the known ones."""
    word = "".join(c for c in dataset_facts.name.lower() if c.isalnum())
    key = next((k for k in BY_CLASS if k in word), None)
    if key is not None and (name := BY_CLASS[key]):
        return KnownData(name, "class")
    classes = num_classes or len(dataset_facts.classes) or (len(targets.counts) if targets else 0)
    shape = (dataset_facts.full_size, *_image(train_batches or ()), classes)
    for *numbers, name, example in BY_SHAPE if key is None else ():
        if tuple(numbers) == shape and _may_be(dataset_facts.classes, example):
            return KnownData(name, "shape")
    raise Unavailable(f"the data set {dataset_facts.name} is none of those with a known recipe")


def _image(batches: tuple[Batch, ...]) -> tuple[int, int]:
    image = next((t for b in batches[:1] for t in tensors(b.inputs) if t.ndim == 4), None)
    return (0, 0) if image is None else (image.shape[1], max(image.shape[2:]))


def _may_be(classes: tuple[str, ...], example: str) -> bool:
    """Names that are numbers or missing say nothing; others must include the data set's own."""
    return not classes or classes[0].isdigit() or any(example in c.lower() for c in classes)
