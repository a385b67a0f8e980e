"""Which learning rates are tried, and how long, given what the trials before them did."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

# A trial that ends below this share of the chance level, and never shot up, is at a rate that works. ResNet-20 on CIFAR-10
# after 60 steps of 32: 0.78 to 0.87 at the healthy 0.1, 0.91 at twice, 0.97 at five times the rate.
LEARNS_WELL = 0.88
# Between these one try does not tell a rate that shoots up from one that does not (`shot`). ResNet-110 on CIFAR-10, 28 steps
# of 32, some 20 tries each: 2.3 to 5.9 at the healthy 0.1, 6.1 to 18.5 at five times the rate.
DOUBTFUL = (4.0, 9.0)
# A fall of the loss by less than this share says little about a rate: it is within twice the noise of a batch of 32.
LITTLE = 0.05


def end_of(losses: Sequence[float]) -> float:
    """Mean of the last quarter, of three values at least."""
    tail = losses[-max(3, len(losses) // 4) :]
    return sum(tail) / len(tail)


@dataclass(frozen=True)
class Trial:
    """One short training. factor: of the user's rate.  rate: of group 0.  losses: one per step, until it diverged.

    other: largest loss of another try at that rate, which ended no lower; None without.
    """

    factor: float
    rate: float
    losses: tuple[float, ...]
    diverged: bool
    other: float | None = None

    @property
    def end(self) -> float:
        """Mean loss of the last quarter; infinity after a divergence."""
        return math.inf if self.diverged else end_of(self.losses)

    @property
    def worst(self) -> float:
        """Largest loss on the way; of two tries the geometric mean of both."""
        if self.diverged:
            return math.inf
        largest = max(self.losses)
        return largest if self.other is None else math.sqrt(largest * self.other)


def shot(trial: Trial, initial: float, chance: float | None) -> float:
    """The largest loss as a multiple of the geometric mean of the first loss and the chance level.

    The first loss of a deep net is as large as its random weights make it (ResNet-110: 4 to 13, chance 2.3), and what it shoots
    up to hardly depends on that: in multiples of the first loss alone a high start hides it. Where there is no chance
    level, of the first loss.
    """
    start = abs(initial) if chance is None or chance <= 0 else math.sqrt(abs(initial) * chance)
    return trial.worst / start if start else 0.0


def explored(
    trial: Callable[[float, int, bool], Trial],
    initial: float,
    chance: float | None,
    late: Callable[[], bool] = lambda: False,
) -> tuple[Trial, ...]:
    """The user's rate, a tenth of it (a hundredth if that does badly too), and higher ones while they do better.

    `trial(factor, times, again)` trains `times` times the usual number of steps; again: with the batches in another order.  late: whether no more than these two trials
    fit, which leaves the others out.

    A rate that learns well from the start needs no comparison, which halves the cost of a healthy diagnosis. Where the
    user's rate does badly it gets a second try, twice as long and with the batches in another order, and the better one
    counts: a healthy VGG at 0.05 is at 0.95 of chance after 60 steps and at 0.84 after 120, at ten times the rate at 0.99.
    So does a rate at which the loss shoots up, but not far, as long as the first.
    """
    own = trial(1.0, 1, False)
    if chance is not None and own.end < LEARNS_WELL * chance and own.worst < 2 * abs(initial):
        return (own,)
    tenth = trial(0.1, 1, False)
    bad = own.worst > 2 * abs(initial) or (chance is not None and own.end > 0.9 * chance)
    slow, doubtful = bad and tenth.end < own.end, DOUBTFUL[0] < shot(own, initial, chance) < DOUBTFUL[1]
    if not own.diverged and (slow or doubtful) and not late():
        own = _better(own, trial(1.0, 2 if slow else 1, True))
    lower = [tenth]
    if (tenth.diverged or (bad and chance is not None and tenth.end > LEARNS_WELL * chance)) and not late():
        lower.append(trial(0.01, 1, False))
    return (own, *lower, *_higher(trial, tenth, own, initial, chance, late))


def _higher(
    trial: Callable[[float, int, bool], Trial],
    tenth: Trial,
    own: Trial,
    initial: float,
    chance: float | None,
    late: Callable[[], bool],
) -> list[Trial]:
    """Trials at 10, 100, ... times the rate while they do no worse; beyond 1000 only while nothing is learned at all."""
    before, last, done = tenth, own, list[Trial]()
    for factor in (10.0, 100.0, 1000.0, 1e4, 1e5):
        nothing = gained(last, initial, chance) < LITTLE * abs(initial)
        if late() or last.diverged or before.end < 0.98 * last.end or (factor > 1000 and not nothing):
            break
        before, last = last, trial(factor, 1, False)
        done.append(last)
    return done


def prolonged(
    trials: tuple[Trial, ...], longer: Callable[[float], Trial], initial: float, chance: float | None
) -> tuple[Trial, ...]:
    """With the user's rate and a far higher one tried for longer, where the former gained nothing, the latter a little.

    Few steps hardly tell a rate that learns nothing from one that learns slowly. A CNN without normalization, Adagrad,
    60 steps: 1.00 of chance at 1e-5 and 0.98 at 1e-3; 180 steps: 1.00 and 0.90.
    """
    best = min((x for x in trials if x.factor >= 100), key=lambda x: x.end, default=None)
    own = next(x for x in trials if x.factor == 1)
    if best is None or gained(own, initial, chance) > LITTLE / 20 * abs(initial):
        return trials
    if not LITTLE / 5 < gained(best, initial, chance) / abs(initial) < 2 * LITTLE:
        return trials
    return tuple(longer(x.factor) if x in (own, best) else x for x in trials)


def gained(trial: Trial, initial: float, chance: float | None) -> float:
    """By how much the loss fell below chance, where a deep net gets at any rate, or below the first loss."""
    start = initial if chance is None else min(initial, chance)
    return max(0.0, start - trial.end)


def _better(one: Trial, other: Trial) -> Trial:
    """The trial that ended lower, with the largest loss of both."""
    best, rest = sorted((one, other), key=lambda t: t.end)
    return replace(best, other=max((v for v in rest.losses if math.isfinite(v)), default=None))
