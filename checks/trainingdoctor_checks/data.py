"""The training data: values, order, class frequencies, size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.balance import Balance
    from trainingdoctor.measure.dataset import DatasetFacts
    from trainingdoctor.measure.images import InputHealth
    from trainingdoctor.measure.order import Order

BENGIO = "Bengio 2012, Practical recommendations for gradient-based training, arXiv:1206.5533, section 3.1.1"
BUDA = "Buda et al. 2018, A systematic study of the class imbalance problem, arXiv:1710.05381"

# Training images of data sets that everybody knows, by the class that holds them.
SIZES = {
    "CIFAR10": 50_000,
    "CIFAR100": 50_000,
    "Cifar10": 50_000,
    "MNIST": 60_000,
    "FashionMNIST": 60_000,
    "KMNIST": 60_000,
    "SVHN": 73_257,
    "STL10": 5_000,
    "Food101": 75_750,
}


@check("data.dtype", cost="probe", explains=("training.raises",))
def dtype(input_health: InputHealth) -> Verdicts:
    """Images arrive as integers.

    What it does: reads the type of the input tensors.
    Why it costs accuracy: most layers stop with an error; converted late, raw pixels of 0 to 255 go into the net.
    Remedy: transforms.ToTensor(), or .float() / 255.
    Thresholds: integer tensors of four dimensions; token indices have two.
    Measured: no measurement yet.
    """
    integers = [d for d in input_health.dtypes if "int" in d]
    if integers and len(input_health.shape) == 4:
        yield critical(
            f"The images are {integers[0]} of shape {input_health.shape}.",
            "transforms.ToTensor(), or images.float() / 255 before Normalize",
            where="train_loader.dataset.transform",
        )


@check("data.constant", cost="probe")
def constant(input_health: InputHealth, *, most: float = 0.05) -> Verdicts:
    """Many inputs have no content.

    What it does: counts samples in which all values are equal.
    Why it costs accuracy: such a sample has a label and nothing to learn it from: an image that failed to load, a
    scale of zero.
    Remedy: look at the files, and at what the loader does with a broken one; where evaluation samples are whole, at the
    training transforms: a translation by more than the image is wide leaves nothing of it.
    Thresholds: more than 5 % of the drawn samples.
    Measured: no measurement yet.
    """
    share = input_health.constant_share
    if share > most:
        say = critical if share > 0.5 else warning
        whole = input_health.constant_on_evaluation is not None and input_health.constant_on_evaluation <= most / 5
        yield say(
            f"{share:.0%} of the drawn training samples are constant: all their values are equal"
            + (", and evaluation samples are not: the training transforms erase them." if whole else "."),
            "Draw one sample with each training transform alone: a translation, crop or erasing is larger than the image."
            if whole
            else "Look at such samples and at the code that loads them.",
            where="train_loader.dataset.transform" if whole else "train_loader.dataset",
            share=share,
        )


@check(
    "data.nonfinite",
    cost="probe",
    explains=(
        "loss.nonfinite",
        "loop.nonfinite",
        "loss.diverges",
        "loss.not_learning",
        "lr.*",
        "init.*",
        "normalization.*",
        "augmentation.*",
        "data.*",
        "labels.*",
    ),
)
def nonfinite(input_health: InputHealth) -> Verdicts:
    """Inputs hold NaN or infinity.

    What it does: counts values that are not finite.
    Why it costs accuracy: one of them makes the loss, and with the next step every weight, NaN.
    Remedy: torch.nan_to_num, or a deviation in Normalize that is not zero.
    Thresholds: none; a single value.
    Measured: no measurement yet.
    """
    if input_health.nonfinite:
        yield critical(
            f"{input_health.nonfinite:,} input values of the drawn batches are NaN or infinite.",
            "Find the sample and the operation: a division by a zero deviation, a logarithm of zero, a broken file.",
            where="train_loader.dataset",
            values=input_health.nonfinite,
        )


@check(
    "data.not_shuffled",
    cost="probe",
    explains=("labels.missing_class", "batchnorm.*", "data.channel_order", "normalization.*", "lr.*"),
    references=(BENGIO,),
)
def not_shuffled(sample_order: Order, *, sorted_share: float = 0.5) -> Verdicts:
    """The training samples come in a fixed order, or sorted by class.

    What it does: reads the sampler's order of two epochs, and counts the classes in the drawn batches.
    Why it costs accuracy: batches of one class pull the net from class to class, and BatchNorm sees statistics that
    no evaluation has; a fixed mixed order costs less.
    Remedy: DataLoader(..., shuffle=True).
    Thresholds: under half of the classes that a random batch would hold means sorted: critical. Two identical epochs
    in the order in which the data set lists them: warning.
    Measured: no measurement yet.
    """
    o = sample_order
    seen, expected = o.classes_per_batch, o.expected_classes
    if seen is not None and expected is not None and expected >= 2 and seen < sorted_share * expected:
        yield critical(
            f"A batch of {o.batch_size} holds {seen:.1f} classes on average, where a shuffled one would hold {expected:.1f}: the data is sorted by class.",
            "DataLoader(..., shuffle=True)",
            where="train_loader",
            classes=seen,
            expected=expected,
        )
    elif o.same_twice and o.sequential:
        yield warning(
            "Two epochs begin with the same samples, in the order in which the data set lists them: the training data is not shuffled.",
            "DataLoader(..., shuffle=True)",
            where="train_loader",
            confidence=0.8,
        )
    elif o.same_twice:
        yield info(
            "Two epochs begin with the same samples: the order is fixed.",
            "DataLoader(..., shuffle=True)",
            where="train_loader.sampler",
        )
    else:
        yield Note(
            "two epochs begin with different samples" if o.known_indices else "the drawn batches mix the classes"
        )


@check("data.imbalance", cost="probe", references=(BUDA,))
def imbalance(balance: Balance, *, most: float = 10.0, hint: float = 3.0) -> Verdicts:
    """Some classes are far rarer than others, and nothing makes up for it.

    What it does: counts the targets of the whole data set; looks for class weights and a weighted sampler.
    Why it costs accuracy: the net learns to leave rare classes out.
    Remedy: WeightedRandomSampler, or class weights in the criterion.
    Thresholds: 10 to 1 between the most and the least frequent class warns (Buda et al. 2018 see effects from there
    on), 3 to 1 informs.
    Measured: no measurement yet.
    """
    b = balance
    if b.ratio >= hint:
        say = warning if b.ratio >= most and not b.compensated else info
        yield say(
            f"Class {b.most_frequent} has {b.most:,} samples, class {b.least_frequent} {b.least:,}: {b.ratio:.0f} to 1"
            f"{', with class weights or a weighted sampler' if b.compensated else ''}.",
            "sampler=WeightedRandomSampler(1 / counts[targets], len(targets)), or nn.CrossEntropyLoss(weight=...)",
            where="train_loader",
            ratio=b.ratio,
        )
    else:
        yield Note(f"{b.classes} classes, {b.ratio:.2g} to 1 at most")


@check("data.subset")
def subset(dataset_facts: DatasetFacts, *, share: float = 0.8) -> Verdicts:
    """Only part of a known data set is used for training.

    What it does: compares the number of samples with the data set's known size.
    Why it costs accuracy: a net of this size needs the data; a fifth of CIFAR-10 costs many points.
    Remedy: train on all of it, or hold out 5,000 to 10,000 samples for validation, as is usual.
    Thresholds: under 80 % warns, which leaves room for the usual validation split of 10 to 20 %. A data set of one's own
    kind that leaves a long tail of it, 5 to 1 and more, is silent: data.imbalance tells of that.
    Measured: no measurement yet.
    """
    known = SIZES.get(dataset_facts.name)
    size = dataset_facts.size
    if known is None or size is None or dataset_facts.long_tailed:
        return
    if size < share * known:
        yield warning(
            f"{size:,} of {dataset_facts.name}'s {known:,} training samples are used ({size / known:.0%}).",
            "Use the whole training set (look for Subset, random_split, or a slice).",
            where="train_loader.dataset",
            samples=size,
            known=known,
        )
    else:
        yield Note(f"{size:,} samples of {dataset_facts.name}")


CHECKS = (dtype, constant, nonfinite, not_shuffled, imbalance, subset)
