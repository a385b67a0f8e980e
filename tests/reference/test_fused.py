"""The fused kernels against the plain net: emulated on the CPU, and on a GPU where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from trainingdoctor.reference import RECIPES, Settings, generated_images
from trainingdoctor.reference.fused import why_not
from trainingdoctor.reference.fused.cuda import instances
from trainingdoctor.reference.fused.engine import Shape
from trainingdoctor.reference.fused.model import fuse, is_as_built
from trainingdoctor.reference.fused.tile import Tile
from trainingdoctor.reference.resnet import CifarResNet, channels_last
from trainingdoctor.reference.run import deterministic
from trainingdoctor.reference.train import Run

from .emulated import COMPILER, EmulatedKernels

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="the kernels are emulated by a C++ compiler")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="the kernels need a GPU")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> EmulatedKernels:
    return EmulatedKernels(tmp_path_factory.mktemp("emulated"))


def net(depth: int) -> CifarResNet:
    """BatchNorm's weights and biases are not those it begins with: their gradients would say less."""
    torch.manual_seed(0)
    model = CifarResNet(depth)
    channels_last(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.3)
    return model


def tensors(model: CifarResNet, images: Tensor, half: bool) -> dict[str, Tensor]:
    """Gradients and buffers after one pass in training mode."""
    classes = torch.arange(len(images), device=images.device) % 10
    with torch.autocast(images.device.type, torch.bfloat16, enabled=half, cache_enabled=False):
        loss = nn.functional.cross_entropy(model(images), classes)
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), **gradients, **{n: b.float() for n, b in model.named_buffers()}}


def assert_as_exact(exact: dict[str, Tensor], usual: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    """No farther from float32's numbers than PyTorch's own bfloat16 is, about."""
    assert list(exact) == list(found)
    for name, right in exact.items():
        off, usually = ((t[name] - right).norm() / (right.norm() + 1e-9) for t in (found, usual))
        assert off <= 1.5 * usually + 0.03, f"{name}: {off:.3f}, as usual {usually:.3f}"


@needs_compiler
@pytest.mark.timeout(200)
def test_a_fused_net_has_the_gradients_and_statistics_of_the_plain_one(kernels: EmulatedKernels) -> None:
    # Two blocks a stage, so that all kinds of convolution are among them.
    images = torch.randn(2, 3, 32, 32)
    exact, usual = (tensors(net(14), images, half) for half in (False, True))
    model = net(14)
    fuse(model, lambda _: kernels)
    assert_as_exact(exact, usual, tensors(model, images, half=True))


@needs_compiler
def test_a_number_that_is_none_stays_so_and_activations_are_let_go(kernels: EmulatedKernels) -> None:
    model, images = net(8), torch.randn(2, 3, 32, 32)
    images[0, 0, 5, 5] = torch.nan
    fuse(model, lambda _: kernels)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(images).float().pow(2).mean()
    assert torch.isnan(loss)
    loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="second time; use --no-fused"):
        loss.backward()  # type: ignore[no-untyped-call]


@needs_compiler
def test_a_fused_net_is_the_plain_one_where_the_kernels_are_not_for_it(kernels: EmulatedKernels) -> None:
    model, plain, images = net(8), net(8), torch.randn(4, 3, 32, 32)
    fuse(model, lambda _: kernels)
    assert list(model.state_dict()) == list(plain.state_dict())
    assert torch.equal(model(images), plain(images))
    assert torch.equal(model.eval()(images), plain.eval()(images))


def test_a_net_that_somebody_changed_is_left_to_the_plain_path() -> None:
    assert is_as_built(net(8))
    hooked, without_shortcut, with_bias, other = net(8), net(8), net(8), net(8)
    hooked.layer1.register_forward_hook(lambda *_: None)
    without_shortcut.layer2[0].shortcut = lambda x: 0 * x  # type: ignore[assignment]
    with_bias.conv1 = nn.Conv2d(3, 16, 3, padding=1)
    other.layer3[0].bn1 = nn.GroupNorm(1, 64)  # type: ignore[assignment]
    assert not any(is_as_built(model) for model in (hooked, without_shortcut, with_bias, other, nn.Linear(2, 2)))


@needs_compiler
def test_odd_sizes_do_not_fit(kernels: EmulatedKernels) -> None:
    cpu = torch.device("cpu")
    assert Shape(2, 64, 8, cpu).fits(kernels)
    assert not Shape(1, 64, 8, cpu).fits(kernels)
    assert not Shape(2, 64, 16, cpu).fits(kernels)
    assert not Shape(2, 24, 32, cpu).fits(kernels)


def test_tiles_fit_into_a_multiprocessor_of_hopper() -> None:
    assert [Tile(c).convolve_shared for c in (16, 32, 64)] == [39552, 74880, 140544]
    assert [Tile(c).gradient_shared for c in (16, 32, 64)] == [57216, 92800, 94464]
    assert len(set(instances())) == 3 * 9


@pytest.mark.parametrize(("device", "precision", "word"), [("cpu", "bfloat16", "NVIDIA"), ("mps", "float32", "NVIDIA")])
def test_what_a_device_lacks_is_said(device: str, precision: str, word: str) -> None:
    assert word in str(why_not(device, precision))


def test_without_a_gpu_a_fused_run_says_so_and_trains() -> None:
    said: list[str] = []
    settings = Settings(RECIPES["fast"], 8, 1, 32, 0, "cpu", "float32", fused=True)
    run = Run(settings, generated_images(32, 32))
    run.warm_up(said.append)
    if not torch.cuda.is_available():
        assert len(said) == 1
        assert said[0].startswith("no fused kernels, the blocks run on cuDNN's")
    assert len(list(run.epochs(said.append))) == 1


@needs_gpu
def test_on_a_gpu_the_fused_net_has_the_plain_ones_gradients() -> None:
    images = torch.randn(64, 3, 32, 32, device="cuda").contiguous(memory_format=torch.channels_last)

    def made(change: Callable[[CifarResNet], None]) -> CifarResNet:
        model = net(20).cuda()
        change(model)
        return model

    exact, usual = (tensors(made(lambda _: None), images, half) for half in (False, True))
    first, second = (tensors(made(fuse), images, half=True) for _ in range(2))
    assert_as_exact(exact, usual, first)
    assert all(torch.equal(first[name], second[name]) for name in first)


@needs_gpu
def test_on_a_gpu_a_graph_of_fused_kernels_gives_their_numbers(tmp_path: Path) -> None:
    settings = Settings(RECIPES["fast"], 14, 2, 32, 0, "cuda:0", "bfloat16", fused=True)

    def losses(graph: bool) -> list[float]:
        with deterministic():
            run = Run(replace(settings, graph=graph), generated_images(96, 32))
            run.warm_up(print)
            return [m.loss for m in run.epochs(print)]

    assert losses(graph=True) == losses(graph=False)
