"""What the drawn inputs hold."""

import torch

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.images import input_health


def test_classes_beside_images_are_not_taken_for_their_type() -> None:
    images, classes = torch.rand(8, 1, 4, 4), torch.arange(8)
    found = input_health((Batch((images, classes), None),), None)
    assert (found.dtypes, found.shape) == (("float32",), (8, 1, 4, 4))
    found = input_health((Batch(((images * 255).long(), classes), None),), None)
    assert found.dtypes == ("int64",)


def test_a_sparse_matrix_beside_the_features_of_a_graph_is_passed_over() -> None:
    found = input_health((Batch((torch.rand(6, 3), torch.eye(6).to_sparse()), None, True),), None)
    assert (found.dtypes, found.shape, found.nonfinite) == (("float32",), (6, 3), 0)


def test_few_equal_numbers_are_no_sample_without_content() -> None:
    pairs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert input_health((Batch(pairs, None),), None).constant_share == 0.0
    rows = torch.cat([torch.zeros(1, 12), torch.rand(3, 12)])
    assert input_health((Batch(rows, None),), None).constant_share == 0.25
