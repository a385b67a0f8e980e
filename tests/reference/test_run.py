"""The reference run: architecture, recipes, resume, checkpoints, certificate."""

import json
import pickle
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from trainingdoctor_warm import WarmProcess, run

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
from trainingdoctor.reference.augmentation import Draws, augmented, normalized
from trainingdoctor.reference.memory import keep_to
from trainingdoctor.reference.recipe import schedule
from trainingdoctor.reference.resnet import RESNET110_PARAMETERS, parameters, resnet20, resnet110
from trainingdoctor.reference.train import Run

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


def test_he2015_ends_after_64000_iterations() -> None:
    recipe = RECIPES["he2015"]
    steps_per_epoch = 50_000 // recipe.batch_size
    assert recipe.iterations == 64_000
    assert (recipe.epochs - 1) * steps_per_epoch < 64_000 <= recipe.epochs * steps_per_epoch
    assert (recipe.peak, recipe.momentum, recipe.weight_decay, recipe.batch_size) == (0.1, 0.9, 1e-4, 128)
    assert recipe.decay_all
    assert not recipe.nesterov
    steps: list[int] = []
    result = train_resnet110(IMAGES, replace(TINY, iterations=7), on_step=lambda step, *_: steps.append(step))
    assert (len(result.metrics), steps) == (3, [1, 2, 3, 4, 5, 6, 7])


def test_fast_rises_to_its_peak_and_falls_to_almost_zero() -> None:
    recipe = RECIPES["fast"]
    rates = [schedule(recipe, 100)(s) for s in range(100)]
    assert max(rates) == recipe.peak
    assert rates.index(max(rates)) in (19, 20)
    assert rates[-1] < 0.02 * recipe.peak


def test_augmentation_only_shifts_and_mirrors() -> None:
    x = torch.arange(3 * 32 * 32).float().view(1, 3, 32, 32).repeat(8, 1, 1, 1) + 1
    out = augmented(x, Draws.of_epoch(torch.arange(8), torch.Generator().manual_seed(0)))
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


def no_card(*_: object) -> None:
    raise torch.OutOfMemoryError("simulated")


def test_a_device_without_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CifarResNet, "forward", no_card)
    with pytest.raises(UserError, match="cpu has no memory for 8 samples"):
        train_resnet110(IMAGES, replace(TINY, epochs=1))
    monkeypatch.setattr(CifarResNet, "__init__", no_card)
    with pytest.raises(UserError, match="cpu has no memory for the model and the images"):
        train_resnet110(IMAGES, replace(TINY, epochs=1))


def test_evaluation_goes_on_in_smaller_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    forward, sizes = CifarResNet.forward, []

    def small_card(self: CifarResNet, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            sizes.append(len(x))
            if len(x) > 16:
                raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED")
        return forward(self, x)

    plain = train_resnet110(IMAGES, replace(TINY, epochs=1))
    monkeypatch.setattr(CifarResNet, "forward", small_card)
    assert train_resnet110(IMAGES, replace(TINY, epochs=1)).accuracy == plain.accuracy
    assert sizes == [32, 16, 16]


def test_bfloat16_trains_on_the_cpu() -> None:
    result = train_resnet110(IMAGES, replace(TINY, epochs=1, precision="bfloat16"))
    assert torch.isfinite(torch.tensor(result.metrics[0].loss))


def test_float16_trains_with_a_scaled_loss_and_resumes_with_its_scale() -> None:
    half = replace(TINY, epochs=2, precision="float16")
    whole = train_resnet110(IMAGES, half)
    plain = train_resnet110(IMAGES, replace(TINY, epochs=2))
    assert whole.metrics[-1].loss == pytest.approx(plain.metrics[-1].loss, rel=0.05)
    run = Run(half, IMAGES)
    next(iter(run.epochs(lambda _: None)))
    again = Run(half, IMAGES)
    again.load_state(run.state())
    assert run.scaler.is_enabled()
    assert again.scaler.get_scale() == run.scaler.get_scale() > 1
    assert [m.loss for m in again.epochs(lambda _: None)] == [whole.metrics[1].loss]


def test_memory_is_kept_to_on_a_gpu_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[float, str]] = []
    card = SimpleNamespace(total_memory=24 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, where: given.append((share, where))
    )
    keep_to(6, "cuda:0")
    assert given == [(0.25, "cuda:0")]
    with pytest.raises(UserError, match=r"--vram 32: cuda:0 has 24\.0 GiB"):
        keep_to(32, "cuda:0")


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


def test_folders_that_do_not_fit_are_one_sentence(tmp_path: Path) -> None:
    from PIL import Image

    for place in ("train/cat", "train/dog", "test/dog", "test/emu"):
        (tmp_path / place).mkdir(parents=True)
    with pytest.raises(UserError, match="Found no valid file for the classes"):
        load_images(tmp_path)
    for place in ("train/cat", "train/dog", "test/dog", "test/emu"):
        Image.new("L", (20, 40)).save(tmp_path / place / "0.png")
    with pytest.raises(UserError, match="not in both: cat, emu"):
        load_images(tmp_path)
    (tmp_path / "test" / "emu").rename(tmp_path / "test" / "cat")
    (tmp_path / "test" / "cat" / "1.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="cannot be read"):
        load_images(tmp_path)


def test_files_that_are_no_cifar10_are_one_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "cifar10.npz", x=np.zeros(3))
    with pytest.raises(UserError, match="it must hold train_x"):
        load_images(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({"x": 1}))
    with pytest.raises(UserError, match="unpack CIFAR-10 again"):
        load_images(tmp_path)


def test_npz_and_batches_hold_the_same(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    y = np.arange(60) % 10
    np.savez(tmp_path / "cifar10.npz", train_x=x[:50], train_y=y[:50], test_x=x[50:], test_y=y[50:])
    npz = load_images(tmp_path)
    rows = x.transpose(0, 3, 1, 2).reshape(60, -1)
    for i in range(6):
        name = f"data_batch_{i + 1}" if i < 5 else "test_batch"
        part = slice(10 * i, 10 * i + 10)
        (tmp_path / name).write_bytes(pickle.dumps({"data": rows[part], "labels": y[part].tolist()}))
    batches = load_images(tmp_path)
    assert torch.equal(npz.train_x, batches.train_x)
    assert torch.equal(npz.test_y, batches.test_y)
    assert "not the published files" in batches.source
    assert not batches.is_cifar10


def test_a_limited_run_has_samples_from_all_over() -> None:
    images = generated_images(40, 10)
    assert images.limited(20).train_y.tolist() == images.train_y[::2].tolist()
    assert images.limited(100) is images


ON_CPU = ["reference-run", "--device", "cpu", "--model", "resnet20"]
SMOKE = [*ON_CPU, "--smoke"]


def smoke(folder: Path, *arguments: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "trainingdoctor",
        *SMOKE,
        "--epochs",
        "3",
        "--precision",
        "float32",
        "--output",
        str(folder),
        *arguments,
    ]


def test_a_run_that_is_killed_at_any_moment_ends_with_the_same_figures(tmp_path: Path) -> None:
    whole = run(smoke(tmp_path / "whole"))
    assert whole.returncode == 1, whole.stderr
    wanted, cut = figures(tmp_path / "whole"), tmp_path / "cut"
    # One after the other, each some time after the first step is seen; the last one goes to the end.
    for pause in (0.0, 0.4, 0.9):
        process = WarmProcess(smoke(cut, "--resume"))
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pause)
        process.kill()
        process.wait()
    again = run(smoke(cut, "--resume"))
    assert again.returncode == 1, again.stderr
    assert figures(cut) == wanted
    assert [tuple(json.loads(line).values())[:5] for line in (cut / "metrics.jsonl").read_text().splitlines()] == wanted
    refused = run(smoke(cut))
    assert (refused.returncode, "holds a run already" in refused.stderr) == (2, True)


def figures(folder: Path) -> list[tuple[float, ...]]:
    metrics = json.loads((folder / "result.json").read_text())["metrics"]
    return [tuple(m.values())[:5] for m in metrics]


def test_other_images_are_never_certified(tmp_path: Path, typed: Callable[..., Any]) -> None:
    x, y = np.zeros((20, 32, 32, 3), dtype=np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "cifar10.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    options = ("--data", str(tmp_path), "--epochs", "1", "--batch-size", "10", "--target", "0")
    result = typed(tmp_path, *ON_CPU, *options)
    assert result.exit_code == 1, result.stderr
    assert "NOT CERTIFIED: the data is not CIFAR-10 (20 and 20 images of 2 classes" in result.stdout


def test_smoke_is_never_certified(tmp_path: Path, typed: Callable[..., Any]) -> None:
    result = typed(tmp_path, *SMOKE, "--target", "0", "--output", str(tmp_path))
    assert result.exit_code == 1, result.stderr
    assert "NOT CERTIFIED: a smoke run" in result.stdout
    assert json.loads((tmp_path / "result.json").read_text())["epochs"] == 2
