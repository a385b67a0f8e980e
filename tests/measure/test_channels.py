"""Axes and colours of image batches."""

from typing import Any

import pytest
import torch
from torch import nn

from trainingdoctor import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.channels import channel_order, colour_contrasts, image_layout


def batch(x: torch.Tensor) -> tuple[Batch, ...]:
    return (Batch(x, torch.zeros(len(x), dtype=torch.long)),)


def pictures(waves: Any, count: int = 256, seed: int = 0) -> torch.Tensor:
    images = torch.from_numpy(waves(count, seed=seed).data).permute(0, 3, 1, 2) / 255
    # Some black and some white, as photographs have.
    images[:, :, 0, 0], images[:, :, 0, 1] = 0, 1
    return images


class Permuting(nn.Module):
    """Takes N, H, W, C and turns it itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x.permute(0, 3, 1, 2))


def test_channels_first_is_in_order(waves: Any) -> None:
    layout = image_layout(batch(pictures(waves)), nn.Conv2d(3, 4, 3))
    assert not layout.channels_last
    assert layout.adjacent > layout.apart


def test_channels_last_in_a_convolution_is_seen_though_the_forward_raises(waves: Any) -> None:
    images = batch(pictures(waves).permute(0, 2, 3, 1))
    assert image_layout(images, nn.Conv2d(3, 4, 3)).channels_last
    assert image_layout(images, nn.Conv2d(16, 4, 1)).channels_last


def test_a_model_that_turns_its_input_is_in_order(waves: Any) -> None:
    layout = image_layout(batch(pictures(waves).permute(0, 2, 3, 1)), Permuting())
    assert not layout.channels_last
    assert not image_layout(batch(pictures(waves).permute(0, 2, 3, 1)), nn.Flatten()).channels_last


def test_hooks_are_removed(waves: Any) -> None:
    model = nn.Conv2d(3, 4, 3)
    image_layout(batch(pictures(waves)), model)
    assert not model._forward_pre_hooks


def test_view_in_place_of_permute() -> None:
    ramp = torch.sin(torch.arange(32.0) / 5)
    image = (ramp[:, None] + ramp[None, :])[None, :, :, None] * torch.tensor([1.0, 0.8, 0.6]) + torch.tensor([0, 2, 4])
    images = image.expand(64, 32, 32, 3)
    right = image_layout(batch(images.permute(0, 3, 1, 2)), None)
    wrong = image_layout(batch(images.reshape(64, 3, 32, 32)), None)
    assert right.adjacent > right.apart
    assert wrong.apart > wrong.adjacent + 0.15


def test_rows_of_channels_taken_for_pixels_dip_between() -> None:
    """Smooth noise, which resembles itself the less the farther apart, as pictures do."""
    noise = torch.randn(64, 1, 44, 44, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.avg_pool2d(nn.functional.avg_pool2d(noise, 7, 1), 7, 1)
    images = smooth.repeat(1, 3, 1, 1)
    right = image_layout(batch(images), None)
    wrong = image_layout(batch(images.reshape(64, 32, 32, 3).permute(0, 3, 1, 2)), None)
    assert right.dip < 0.05
    assert wrong.dip > 0.3
    # A texture that repeats has its peaks half way, too.
    wave = torch.sin(torch.arange(32.0) * 2 * torch.pi / 5)
    assert image_layout(batch((wave[:, None] + wave).expand(64, 3, 32, 32) + images), None).dip < 0.1


def test_swapped_colours_have_the_opposite_level(waves: Any) -> None:
    train, evaluation = pictures(waves), pictures(waves, seed=1)
    same = colour_contrasts(train, evaluation)
    swapped = colour_contrasts(train.flip(1) * 3 - 1, evaluation)
    assert same is not None
    assert swapped is not None
    assert same[0].ratio == pytest.approx(1, abs=0.2)
    assert swapped[0].ratio == pytest.approx(-1, abs=0.2)
    assert swapped[0].clear > 5


def test_grey_and_few_images_have_no_colours_to_compare(waves: Any) -> None:
    grey = pictures(waves).mean(1, keepdim=True)
    assert channel_order(batch(grey), None, batch(grey)).contrasts is None
    assert colour_contrasts(pictures(waves, 20), pictures(waves, 20)) is None
    with pytest.raises(Unavailable):
        channel_order(batch(torch.rand(8, 10)), None, None)
