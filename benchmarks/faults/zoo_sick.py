"""Sick trainings that are no image classification, each with the codes that name its fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zoo_pictures as pictures
import zoo_sequences as sequences
import zoo_tables as tables
from fault import Fault, fault
from zoo import Animal

from trainingdoctor import Training

SEEN = ("loss.*", "lr.*", "init.*")
Row = tuple[Animal, Fault]


def row(build: Callable[[], Training], code: str, **more: Any) -> Row:
    """A training that is written sick as a whole: there are no parts to spoil."""
    name = build.__name__.replace("_", " ")
    return Animal(build), fault(name, code, lambda parts: parts, part="zoo", **more)


SICK: tuple[Row, ...] = (
    row(tables.test_rows_not_scaled, "normalization.columns_mismatch"),
    row(tables.test_rows_scaled_to_0_and_1, "normalization.columns_mismatch", strength="subtle"),
    row(tables.town_encoded_twice, "data.codes_mismatch", consequences=("normalization.features",)),
    row(tables.embedded_town_encoded_twice, "data.codes_mismatch", strength="subtle"),
    row(tables.price_left_in_the_table, "labels.in_inputs"),
    row(tables.price_in_another_currency, "labels.in_inputs", strength="subtle"),
    row(tables.columns_in_their_units, "normalization.features", consequences=SEEN),
    row(tables.year_not_scaled, "normalization.features", consequences=SEEN, strength="subtle"),
    row(tables.price_in_euros_by_sgd, "loss.target_scale", consequences=SEEN),
    row(tables.price_in_euros_by_adam, "loss.target_scale", consequences=SEEN, strength="subtle"),
    row(tables.sigmoid_before_a_regression, "loss.unreachable", consequences=SEEN),
    row(tables.tanh_before_a_regression, "loss.unreachable", consequences=SEEN, strength="subtle"),
    row(tables.softmax_for_several_labels, "loss.unreachable", consequences=SEEN),
    row(pictures.normalized_pictures_through_a_sigmoid, "loss.unreachable", consequences=SEEN),
    row(tables.column_against_row, "loss.target_format", consequences=SEEN),
    row(pictures.masks_of_0_and_255, "loss.target_format", consequences=SEEN),
    row(tables.divergence_of_probabilities, "loss.divergence_of_probabilities", consequences=SEEN),
    row(tables.divergence_with_a_temperature, "loss.divergence_of_probabilities", consequences=SEEN, strength="subtle"),
    row(tables.one_hidden_unit, "model.capacity", consequences=SEEN),
    row(tables.softmax_of_one_output, "model.softmax_over_one", consequences=("model.ignores_input", *SEEN)),
    row(sequences.pooling_weights_over_one, "model.softmax_over_one", strength="subtle"),
    row(tables.one_sampler_weight_per_class, "loader.few_samples", consequences=("labels.*", "data.*")),
    row(tables.groups_of_one_channel, "model.normalizes_one_value", consequences=("model.ignores_input", *SEEN)),
    row(pictures.pooled_branch_normalized, "model.normalizes_one_value", strength="subtle"),
    row(tables.spectra_in_half_precision, "precision.fp16_overflow", consequences=("normalization.features", *SEEN)),
    row(sequences.attention_without_positions, "model.ignores_order", consequences=("loss.*",)),
    row(sequences.question_without_positions, "model.ignores_order", consequences=("loss.*",), strength="subtle"),
    row(sequences.scores_divided_by_the_reciprocal, "model.attention_saturated", consequences=SEEN),
    row(sequences.scores_times_the_root, "model.attention_saturated", consequences=SEEN, strength="subtle"),
    row(sequences.last_step_is_padding, "model.reads_padding", consequences=("loss.*",)),
    row(sequences.mean_over_padding, "model.reads_padding", strength="subtle"),
    row(sequences.first_step_is_read, "model.reads_one_position", consequences=SEEN),
    row(sequences.first_row_is_read, "model.reads_one_position", consequences=("model.ignores_input", *SEEN), strength="subtle"),
    row(sequences.no_causal_mask, "labels.visible"),
    row(sequences.bidirectional_language_model, "labels.visible", strength="subtle"),
    row(sequences.targets_not_shifted, "labels.visible"),
    row(pictures.pictures_mirrored_without_masks, "augmentation.left_behind", consequences=("labels.*",)),
    row(pictures.pictures_moved_without_masks, "augmentation.left_behind", consequences=("labels.*",), strength="subtle"),
    row(pictures.checkpoint_of_parameters_only, "batchnorm.statistics_stale"),
    row(pictures.average_without_its_statistics, "batchnorm.statistics_stale", strength="subtle"),
    row(pictures.keys_renamed_and_not_strict, "init.pretrained_partial", consequences=("batchnorm.statistics_stale", *SEEN)),
    row(pictures.spectral_norm_left_in_eval_mode, "init.spectral_norm", consequences=SEEN),
)  # fmt: skip
