"""`augmentation_pairs`: what the augmentation does, seen by drawing the same samples several times."""

from collections.abc import Callable, Iterable
from typing import Any

from trainingdoctor.measure.augmentation import AugmentationPairs, measure_pairs
from trainingdoctor.measure.restore import restored, seed_everything


def augmentation_pairs(
    loader: Iterable[Any],
    *,
    samples: int = 12,
    draws: int = 6,
    augment_on_device: Callable[..., Any] | None = None,
    seed: int = 0,
) -> AugmentationPairs:
    """Draw the same samples several times through the whole pipeline, and describe how the draws differ.

    Behaviour is measured, not names: it does not matter which library augments, nor whether it happens in the data
    set, the collate function or on the device. Random states and what the data set owns come back as they were.

    Args:
        loader: a DataLoader, or anything with an indexable `dataset` and perhaps a `collate_fn`.
        samples: how many, spread evenly over the data set.
        draws: of each sample, at least 2.
        augment_on_device: applied to a batch of inputs (or inputs and targets).
        seed: before the first draw.

    Returns:
        AugmentationPairs: `varies`; `difference` (mean absolute difference over the standard deviation of the
        inputs); `kinds` (mirrored, flipped_vertically, shifted, colour, erased, mixed, other: the share of pairs
        that show it); `pictures` of shape (draws, samples, channels, height, width), up to 6 samples and 96 pixels a
        side, for `plot(path)`.

    Raises:
        ValueError: for fewer than 1 sample or 2 draws.
        Unavailable: where one sample cannot be drawn twice (an IterableDataset), or inputs are no tensors.
        UserCodeError: when the data set, the collate function or the augmentation raises.

    >>> import torch, trainingdoctor
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> data = TensorDataset(torch.randn(64, 3, 16, 16), torch.zeros(64))
    >>> loader = DataLoader(data, batch_size=8, shuffle=True)
    >>> trainingdoctor.augmentation_pairs(loader).varies
    False
    >>> mirror = lambda x: x.flip(3) if torch.rand(()) < 0.5 else x
    >>> pairs = trainingdoctor.augmentation_pairs(loader, augment_on_device=mirror)
    >>> pairs.varies, "mirrored" in pairs.kinds
    (True, True)
    """
    if samples < 1 or draws < 2:
        raise ValueError(f"samples={samples} and draws={draws}: a pair needs a sample and two draws of it")
    with restored(loader, augment_on_device):
        seed_everything(seed)
        return measure_pairs(loader, augment_on_device, samples, draws)
