"""Which accuracy can be expected, and how exactly the evaluation set can measure it."""

from dataclasses import dataclass

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.family import ModelFamily
from trainingdoctor.measure.known_data import KnownData
from trainingdoctor.measure.lengths import LoaderLengths
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.targets import Targets
from trainingdoctor.recipes import known_recipes

# Where neither a target nor a published figure says how accurate the model will be.
USUAL = 90.0


@dataclass(frozen=True)
class Expectation:
    """What the literature reached with this family, size and data set, in percent. target: what is hoped for, if said."""

    family: str
    dataset: str
    reached: float
    source: str
    target: float | None


@evidence(cost="probe", optional=("target_accuracy",))
def expectation(
    model_family: ModelFamily, known_dataset: KnownData, pretraining: Pretraining, target_accuracy: float | None
) -> Expectation:
    """Look it up; Unavailable for what is not in the table, and for models that were trained before."""
    if pretraining.done:
        raise Unavailable("the model was trained before: figures from scratch do not apply to it")
    found = known_recipes().accuracy(model_family.name, known_dataset.name, model_family.parameters)
    if found is None:
        raise Unavailable(f"no published accuracy is known for {model_family.title} on {known_dataset.name}")
    target = None if target_accuracy is None else float(target_accuracy)
    return Expectation(model_family.title, known_dataset.name, *found, target)


@dataclass(frozen=True)
class EvaluationNoise:
    """Standard error, in points, of an accuracy measured on `samples` samples. assumed: the accuracy, in percent."""

    samples: int
    assumed: float
    error: float
    target: float | None
    reached: float | None


@evidence(cost="probe", optional=("expectation", "target_accuracy"))
def evaluation_noise(
    loader_lengths: LoaderLengths, targets: Targets, expectation: Expectation | None, target_accuracy: float | None
) -> EvaluationNoise:
    """The binomial standard error of the evaluation set; Unavailable where no single class per sample is predicted."""
    if targets.kind != "indices" or len(targets.shape) != 1:
        raise Unavailable("the targets are no single class per sample: there is no accuracy to measure")
    samples = loader_lengths.val_samples
    if not samples:
        raise Unavailable("how many samples val_loader gives is not known")
    target = None if target_accuracy is None else float(target_accuracy)
    reached = expectation.reached if expectation else None
    assumed = min(max(target or reached or USUAL, 50.0), 99.9)
    share = assumed / 100
    error = 100 * (share * (1 - share) / samples) ** 0.5
    return EvaluationNoise(samples, assumed, error, target, reached)
