"""Everything that keeps the model from fitting the training data, side by side."""

from dataclasses import dataclass
from typing import Any

from trainingdoctor.evidence import evidence
from trainingdoctor.measure.augmentation import AugmentationPairs
from trainingdoctor.measure.criterion import smoothing_of
from trainingdoctor.measure.decay import Decay
from trainingdoctor.measure.layers import DropoutLayer
from trainingdoctor.measure.penalty import Penalty
from trainingdoctor.measure.pretraining import Pretraining


@dataclass(frozen=True)
class Regularizers:
    """dropout: the highest p.  smoothing: of the labels.  mixed: samples and targets are mixed (mixup, cutmix).  erased:
    parts of images are.  decay_epochs: epochs in which weight decay shrinks the weights by e, None without.  penalty:
    what the criterion adds by itself, None without.
    """

    epochs: int | None
    pretrained: bool
    dropout: float
    smoothing: float
    mixed: bool
    erased: bool
    decay_epochs: float | None
    penalty: Penalty | None


@evidence(
    cost="probe",
    optional=("epochs", "criterion", "dropout_layers", "augmentation_pairs", "decay", "penalty"),
)
def regularizers(
    pretraining: Pretraining,
    epochs: int | None,
    criterion: Any,
    dropout_layers: tuple[DropoutLayer, ...] | None,
    augmentation_pairs: AugmentationPairs | None,
    decay: Decay | None,
    penalty: Penalty | None,
) -> Regularizers:
    """Gather them; what could not be measured counts as absent."""
    kinds = augmentation_pairs.kinds if augmentation_pairs else {}
    forgets = (
        decay.forgets_in_steps / decay.steps_per_epoch
        if decay and decay.forgets_in_steps and decay.steps_per_epoch
        else None
    )
    return Regularizers(
        epochs=None if epochs is None else int(epochs),
        pretrained=pretraining.done,
        dropout=max((layer.p for layer in dropout_layers or ()), default=0.0),
        smoothing=smoothing_of(criterion),
        mixed="mixed" in kinds,
        erased="erased" in kinds,
        decay_epochs=forgets,
        penalty=penalty,
    )
