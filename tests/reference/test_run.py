"""The reference run: architecture, recipes, resume, checkpoints, certificate."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trainingdoctor import UserError
from trainingdoctor.reference import (
    RECIPES,
    CifarResNet,
    EpochMetrics,
    Settings,
    generated_images,
    load_images,
    train_resnet110,
)
from trainingdoctor.reference.data import augmented, normalized
from trainingdoctor.reference.recipe import schedule
from trainingdoctor.reference.resnet import RESNET110_PARAMETERS, parameters, resnet20, resnet110

TINY = Settings(RECIPES["fast"], depth=8, epochs=3, batch_size=16, seed=1, device="cpu", precision="float32")
IMAGES = generated_images(48, 32)


def test_resnet110_has_the_papers_parameters() -> None:
    assert parameters(resnet110()) == RESNET110_PARAMETERS == 1_727_962
    assert resnet20()(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    with pytest.raises(ValueError, match="6n"):
        CifarResNet(21)


def test_he2015_divides_the_rate_at_half_and_three_quarters() -> None:
    rate = schedule(RECIPES["he2015"], 64_000)
    assert [round(rate(s), 6) for s in (0, 399, 400, 31_999, 32_000, 48_000, 63_999)] == [
        0.01,
        0.01,
        0.1,
        0.1,
        0.01,
        0.001,
        0.001,
    ]


def test_fast_rises_to_its_peak_and_falls_to_almost_zero() -> None:
    recipe = RECIPES["fast"]
    rates = [schedule(recipe, 100)(s) for s in range(100)]
    assert max(rates) == recipe.peak
    assert rates.index(max(rates)) in (19, 20)
    assert rates[-1] < 0.02 * recipe.peak


def test_augmentation_only_shifts_and_mirrors() -> None:
    x = torch.arange(3 * 32 * 32).float().view(1, 3, 32, 32).repeat(8, 1, 1, 1) + 1
    out = augmented(x, torch.Generator().manual_seed(0))
    assert out.shape == x.shape
    values = set(x.flatten().tolist()) | {0.0}
    assert set(out.flatten().tolist()) <= values
    assert not torch.equal(out[0], out[1])


def test_normalized_images_have_mean_0_for_the_mean_colour() -> None:
    grey = torch.tensor([125, 123, 114], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    assert normalized(grey).abs().max() < 0.02


def test_an_interrupted_run_ends_with_the_same_figures(tmp_path: Path) -> None:
    whole = train_resnet110(IMAGES, TINY, output=tmp_path / "whole")

    def killed(metrics: EpochMetrics, _: int) -> None:
        if metrics.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_resnet110(IMAGES, TINY, output=tmp_path / "cut", on_epoch=killed)
    resumed = train_resnet110(IMAGES, TINY, output=tmp_path / "cut", resume=True)
    figures = [(m.loss, m.train_accuracy, m.test_accuracy) for m in whole.metrics]
    assert [(m.loss, m.train_accuracy, m.test_accuracy) for m in resumed.metrics] == figures
    a, b = (torch.load(tmp_path / n / "checkpoint.pt", weights_only=True)["model"] for n in ("whole", "cut"))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert {p.name for p in (tmp_path / "whole").iterdir()} == {
        "checkpoint.pt", "config.json", "curve.png", "environment.json", "metrics.jsonl", "result.json",
    }  # fmt: skip


def test_checkpoints_that_are_not_this_runs_are_refused(tmp_path: Path) -> None:
    train_resnet110(IMAGES, replace(TINY, epochs=1), output=tmp_path)
    with pytest.raises(UserError, match="other settings"):
        train_resnet110(IMAGES, replace(TINY, epochs=1, seed=2), output=tmp_path, resume=True)
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be read"):
        train_resnet110(IMAGES, replace(TINY, epochs=1), output=tmp_path, resume=True)
    torch.save({"model": 1}, file)
    with pytest.raises(UserError, match="no checkpoint of a reference run"):
        train_resnet110(IMAGES, replace(TINY, epochs=1), output=tmp_path, resume=True)


def test_out_of_memory_goes_on_with_smaller_micro_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    forward, said = CifarResNet.forward, []

    def small_card(self: CifarResNet, x: torch.Tensor) -> torch.Tensor:
        if self.training and len(x) > 8:
            raise torch.OutOfMemoryError("simulated")
        return forward(self, x)

    monkeypatch.setattr(CifarResNet, "forward", small_card)
    result = train_resnet110(IMAGES, replace(TINY, epochs=1), say=said.append)
    assert result.epochs == 1
    assert "micro-batches of 8" in said[0]


def test_bfloat16_trains_on_the_cpu() -> None:
    result = train_resnet110(IMAGES, replace(TINY, epochs=1, precision="bfloat16"))
    assert torch.isfinite(torch.tensor(result.metrics[0].loss))


def test_no_data_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no images in"):
        load_images(tmp_path)


def test_class_folders_are_read(tmp_path: Path) -> None:
    from PIL import Image

    for split in ("train", "test"):
        for name, colour in (("cat", 0), ("dog", 255)):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            Image.new("RGB", (32, 32), (colour,) * 3).save(folder / "0.png")
    images = load_images(tmp_path)
    assert images.train_x.shape == (2, 3, 32, 32)
    assert images.train_y.tolist() == [0, 1]
    assert int(images.test_x[1].min()) == 255


def test_smoke_is_never_certified(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "trainingdoctor",
        "reference-run",
        "--device",
        "cpu",
        "--smoke",
        "--model",
        "resnet20",
    ]
    result = subprocess.run(
        [*command, "--target", "0", "--output", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1, result.stderr
    assert "NOT CERTIFIED: a smoke run" in result.stdout
    assert json.loads((tmp_path / "result.json").read_text())["epochs"] == 2
