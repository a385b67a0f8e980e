"""The table of recipes is complete and consistent."""

import tomllib
from pathlib import Path

import trainingdoctor
from trainingdoctor.measure.known_data import BY_CLASS
from trainingdoctor.recipes import known_recipes

TABLE = known_recipes()
FAMILIES = {"cifar-resnet", "wide-resnet", "resnet", "vgg", "densenet", "vit", "transformer", "mlp", "cnn"}
DATASETS = {d for d in BY_CLASS.values() if d} | {"any"}


def test_everything_has_a_source_and_known_names() -> None:
    assert all(
        r.source and r.code and set(r.families) <= FAMILIES and set(r.datasets) <= DATASETS for r in TABLE.recipes
    )
    assert all(a.source and a.family in FAMILIES and a.dataset in DATASETS for a in TABLE.accuracies)
    assert all(c.source and c.family in FAMILIES and c.dataset in DATASETS and c.points > 0 for c in TABLE.costs)


def test_no_two_recipes_for_the_same() -> None:
    keys = [(f, d, r.pretrained) for r in TABLE.recipes for f in r.families for d in r.datasets]
    assert len(keys) == len(set(keys))


def test_accuracies_go_by_size() -> None:
    assert TABLE.accuracy("cifar-resnet", "CIFAR-10", 269_722) == (91.25, "He et al. 2015, arXiv:1512.03385, table 6")
    assert (TABLE.accuracy("cifar-resnet", "CIFAR-10", 1_727_962) or (0,))[0] == 93.39
    assert TABLE.accuracy("cifar-resnet", "CIFAR-10", 5_000_000) is None
    assert (TABLE.accuracy("cnn", "MNIST", 1_199_882) or (0,))[0] == 99.05
    assert TABLE.accuracy("cnn", None, 1_199_882) is None


def test_recipes_go_by_start() -> None:
    assert TABLE.recipe("resnet", "CIFAR-10", pretrained=False).name == "DeVries & Taylor 2017"
    assert TABLE.recipe("resnet", None, pretrained=True).name == "BiT-HyperRule"
    assert TABLE.recipe("resnet", None, pretrained=False) is None


def test_the_table_is_toml_with_no_unknown_keys() -> None:
    text = (Path(trainingdoctor.__file__).parent / "recipes.toml").read_text(encoding="utf-8")
    assert set(tomllib.loads(text)) == {"recipe", "accuracy", "cost"}
