"""Models that a loop calls beside the one that trains: teachers, and averages."""

import copy
from collections.abc import Callable
from itertools import count

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.observing.assemble import rewound, traced
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.loop_models import average_stuck, teacher_in_train_mode, teacher_untrained

FRESH, TRAINED = Pretraining(10, 0), Pretraining(10, 10)
X = torch.randn(240, 8, generator=torch.Generator().manual_seed(0))
Y = (X.sum(1) > 0).long()
TRAIN, TEST = DataLoader(TensorDataset(X[:200], Y[:200]), 10), DataLoader(TensorDataset(X[200:], Y[200:]), 10)
After = Callable[[nn.Module, nn.Module], object]


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.1), nn.ReLU(), nn.Linear(16, 2))


def watched(
    other: Callable[[nn.Module], nn.Module],
    after: After = lambda *_: None,
    *,
    taught: bool = False,
    evaluated: Callable[[nn.Module, nn.Module], nn.Module | tuple[nn.Module, ...]] = lambda model, _: model,
) -> LoopTrace:
    """Two epochs of twenty steps, planned as sixty; after(model, other) is done after each step."""
    torch.manual_seed(0)
    recorder, model = Recorder(stops=False), net()
    beside = other(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    with observed(recorder):
        for _ in range(2):
            model.train()
            for x, y in TRAIN:
                optimizer.zero_grad()
                output = model(x)
                loss = nn.functional.cross_entropy(output, y)
                if taught:
                    with torch.no_grad():
                        answer = beside(x).softmax(1)
                    loss = loss + nn.functional.kl_div(output.log_softmax(1), answer, reduction="batchmean")
                loss.backward()
                optimizer.step()
                after(model, beside)
            chosen = evaluated(model, beside)
            with torch.no_grad():
                for x, _ in TEST:
                    for one in chosen if isinstance(chosen, tuple) else (chosen,):
                        one.eval()(x)
    recorder.epochs = 60
    # The answers of a teacher are neither the model's outputs nor its targets.
    assert recorder.losses.criterion is not None
    assert (recorder.losses.criterion.between, recorder.losses.criterion.target.dtype) == ("", torch.long)
    rewound(recorder)
    return traced(recorder)


def test_a_teacher_in_train_mode_is_told() -> None:
    seen = watched(lambda _: net(), taught=True)
    (teacher,) = seen.teachers
    assert (teacher.calls, teacher.batchnorms, teacher.dropouts) == (40, 1, 1)
    assert teacher.moved > 0.01
    assert teacher.where.startswith("test_teachers.py:")
    assert_unwell(teacher_in_train_mode, seen, severity="warning")


def averaging(decay: float) -> After:
    """A step of an average in place of the weights."""

    @torch.no_grad()
    def after(model: nn.Module, other: nn.Module) -> None:
        for a, p in zip(other.parameters(), model.parameters(), strict=True):
            a.mul_(decay).add_(p, alpha=1 - decay)

    return after


@pytest.mark.parametrize(
    ("other", "after"),
    [
        (lambda _: net().eval(), lambda *_: None),
        # A momentum encoder, and a target that is only copied now and then.
        (copy.deepcopy, averaging(0.999)),
        (copy.deepcopy, lambda *_: None),
        # Its layers are made by the first call.
        (lambda _: nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d(), nn.LazyLinear(2)).eval(), lambda *_: None),
        # No layer that acts otherwise in train mode.
        (lambda _: nn.Linear(8, 2), lambda *_: None),
    ],
)
def test_teachers_in_order(other: Callable[[nn.Module], nn.Module], after: After) -> None:
    assert_healthy(teacher_in_train_mode, watched(other, after, taught=True))


@pytest.mark.parametrize("decay", [0.9999, 0.99999, 0.9999999, 1.0])
def test_an_average_that_hardly_moves(decay: float) -> None:
    seen = watched(copy.deepcopy, averaging(decay), evaluated=lambda _, other: other)
    assert seen.average is not None
    assert seen.average.taken == pytest.approx(1 - decay, rel=0.1, abs=1e-6)
    assert_unwell(average_stuck, seen, FRESH, severity="warning")
    assert_unwell(average_stuck, seen, TRAINED, severity="info")


def test_an_average_that_takes_the_models_place_for_the_evaluation() -> None:
    """As classes with a dictionary of shadows do it."""
    shadow = net().state_dict()

    def other(model: nn.Module) -> nn.Module:
        shadow.update(copy.deepcopy(model.state_dict()))
        return model

    @torch.no_grad()
    def after(model: nn.Module, _: nn.Module) -> None:
        for name, p in model.named_parameters():
            shadow[name].mul_(0.99999).add_(p, alpha=0.00001)

    def evaluated(model: nn.Module, _: nn.Module) -> nn.Module:
        # A copy is evaluated here, for the sake of the test's loop; it holds the shadows.
        chosen = copy.deepcopy(model)
        chosen.load_state_dict(shadow)
        return chosen

    seen = watched(other, after, evaluated=evaluated)
    assert_unwell(average_stuck, seen, FRESH, severity="warning")


def test_averages_that_follow_and_what_is_none() -> None:
    def own(_: nn.Module, other: nn.Module) -> nn.Module:
        return other

    followed = watched(copy.deepcopy, averaging(0.99), evaluated=own)
    assert followed.average is not None
    assert followed.average.taken == pytest.approx(0.01, rel=0.5)
    assert_healthy(average_stuck, followed, FRESH)
    # Torch's mean of all steps so far; what grows; another model; the model itself, and both of them.
    mean = watched(torch.optim.swa_utils.AveragedModel, lambda m, a: a.update_parameters(m), evaluated=own)  # type: ignore[operator]
    assert_healthy(average_stuck, mean, FRESH)
    steps = count()
    grown = watched(
        copy.deepcopy,
        lambda m, a: averaging(min(0.9999, (t := next(steps)) and (1 + t) / (10 + t)))(m, a),
        evaluated=own,
    )
    assert_healthy(average_stuck, grown, FRESH)
    assert watched(lambda _: net(), evaluated=own).average is None
    assert watched(copy.deepcopy).average is None
    both = watched(copy.deepcopy, averaging(0.99999), evaluated=lambda model, average: (average, model))
    assert both.average is None


def trained() -> nn.Module:
    """A teacher that knows the classes."""
    torch.manual_seed(1)
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(X), Y).backward()
        optimizer.step()
    return model.eval()


def guessing(model: nn.Module) -> nn.Module:
    """A teacher that says the same of all, as a random net all but does."""
    teacher = net().eval()
    with torch.no_grad():
        teacher[-1].weight.zero_()  # type: ignore[index]
    return teacher


def test_a_teacher_that_knows_nothing() -> None:
    seen = watched(guessing, taught=True)
    (answers,) = seen.answers
    # Of the first batch it was not known yet who trains.
    assert answers.samples == 390
    assert answers.right <= answers.chance
    assert answers.where.startswith("test_teachers.py:")
    assert_unwell(teacher_untrained, seen, severity="warning", mentions="390 training samples")


@pytest.mark.parametrize(
    ("other", "after"),
    [
        (lambda _: trained(), lambda *_: None),
        # What follows the student, or is a copy of it, begins with nothing as well.
        (guessing, averaging(0.99)),
        (copy.deepcopy, lambda *_: None),
    ],
)
def test_teachers_that_know_something(other: Callable[[nn.Module], nn.Module], after: After) -> None:
    assert_healthy(teacher_untrained, watched(other, after, taught=True))


@pytest.mark.parametrize(("decay", "sick"), [(0.999, True), (0.9, False)])
def test_an_average_that_is_updated_once_per_epoch(decay: float, sick: bool) -> None:
    steps = count(1)

    def after(model: nn.Module, other: nn.Module) -> None:
        if next(steps) % len(TRAIN) == 0:
            averaging(decay)(model, other)

    seen = watched(copy.deepcopy, after, evaluated=lambda _, other: other)
    assert seen.average is not None
    assert seen.average.per_epoch
    assert seen.average.taken == pytest.approx(1 - decay, rel=0.01)
    if sick:
        assert_unwell(average_stuck, seen, FRESH, severity="warning", mentions="once per epoch")
    else:
        assert_healthy(average_stuck, seen, FRESH)
