"""The training step as a CUDA graph and with compiled blocks: the same numbers as the plain step. Only where a GPU is."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trainingdoctor.reference import RECIPES, EpochMetrics, Settings, generated_images, train_resnet110
from trainingdoctor.reference.parts import Parts
from trainingdoctor.reference.recipe import Recipe

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")

PLAIN = Settings(RECIPES["fast"], depth=8, epochs=2, batch_size=16, seed=1, device="cuda:0", precision="float32")
IMAGES = generated_images(96, 32)


def losses(settings: Settings, parts: Parts | None = None) -> list[float]:
    said: list[str] = []
    result = train_resnet110(IMAGES, settings, parts=parts, say=said.append)
    assert not said
    return [m.loss for m in result.metrics]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_graph_gives_the_plain_steps_numbers(precision: str) -> None:
    plain = replace(PLAIN, precision=precision)
    assert losses(replace(plain, graph=True)) == pytest.approx(losses(plain), rel=1e-4)


def test_a_graph_holds_clipping_and_another_optimizer() -> None:
    def adam(model: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=1e-3, fused=True, capturable=True)

    parts = Parts(optimizer=adam, clip=0.1)
    assert losses(replace(PLAIN, graph=True), parts) == pytest.approx(losses(PLAIN, parts), rel=1e-4)


def test_a_graphed_run_that_is_interrupted_ends_with_the_same_figures(tmp_path: Path) -> None:
    graphed = replace(PLAIN, graph=True)

    def killed(metrics: EpochMetrics, _: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_resnet110(IMAGES, graphed, output=tmp_path, on_epoch=killed)
    resumed = train_resnet110(IMAGES, graphed, output=tmp_path, resume=True)
    assert [m.loss for m in resumed.metrics] == losses(graphed)


def test_compiled_blocks_give_the_plain_steps_numbers() -> None:
    plain = replace(PLAIN, epochs=1)
    assert losses(replace(plain, graph=True, compiled=True)) == pytest.approx(losses(plain), rel=1e-2)
