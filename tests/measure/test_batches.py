"""Batches, cut to some samples."""

import torch
from torch import nn

from trainingdoctor.measure.batches import Batch


def test_flat_targets_of_a_language_model_are_cut_with_their_samples() -> None:
    words = torch.arange(12).reshape(4, 3)
    batch = Batch((words, torch.zeros(2, 3, 5)), words.flatten())
    cut = batch.rows(1, 2)
    assert cut.targets.tolist() == [3, 4, 5, 6, 7, 8]
    assert [len(t) for t in cut.inputs] == [2, 2]


def test_others_are_cut_sample_by_sample_or_left() -> None:
    x = torch.zeros(4, 3)
    assert Batch(x, torch.arange(4)).first(2).targets.tolist() == [0, 1]
    assert Batch(x, torch.arange(6)).first(2).targets.tolist() == list(range(6))
    assert Batch(x, torch.zeros(8, 2)).first(2).targets.shape == (8, 2)
    assert Batch(x, None).first(2).targets is None


def test_the_state_of_a_recurrent_net_is_cut_with_its_samples() -> None:
    batch = Batch([torch.zeros(8, 5, 3), [torch.zeros(2, 8, 4), torch.zeros(2, 8, 4)]], torch.zeros(40))
    x, (h, c) = batch.first(3).inputs
    assert (x.shape, h.shape, c.shape) == ((3, 5, 3), (2, 3, 4), (2, 3, 4))
    assert nn.LSTM(3, 4, 2, batch_first=True)(x, (h, c))[0].shape == (3, 5, 4)
    assert batch.first(3).targets.shape == (15,)
