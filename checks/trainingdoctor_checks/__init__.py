"""The built-in checks of trainingdoctor, registered through the entry point that any plug-in uses."""

from importlib import import_module

from trainingdoctor import Check

# In the order in which a report lists them.
AREAS = (
    "training",
    "augmentation",
    "augmentation_strength",
    "normalization",
    "columns",
    "data",
    "samples",
    "labels",
    "label_relation",
    "shown",
    "loader",
    "learning_rate",
    "learning",
    "schedule",
    "scheduler",
    "warmup",
    "optimizer",
    "weight_decay",
    "batchnorm",
    "batchnorm_placement",
    "regularization",
    "precision",
    "loss",
    "loss_targets",
    "class_weights",
    "model",
    "model_structure",
    "model_use",
    "model_sequences",
    "activations",
    "freezing",
    "initialization",
    "weight_origin",
    "loop",
    "loop_modes",
    "loop_gradients",
    "loop_loss",
    "loop_order",
    "loop_passes",
    "loop_models",
    "metric",
    "distributed",
    "recipe",
    "accuracy",
    "history",
    "environment",
    "environment_gpu",
    "environment_host",
)

CHECKS: tuple[Check, ...] = tuple(check for area in AREAS for check in import_module(f"{__name__}.{area}").CHECKS)
