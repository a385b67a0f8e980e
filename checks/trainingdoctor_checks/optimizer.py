"""The optimizer: which parameters it holds, and the numbers it runs with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.decay import Decay
    from trainingdoctor.measure.layers import Architecture
    from trainingdoctor.measure.optimizers import Group, Ownership
    from trainingdoctor.measure.pretraining import Pretraining

ADAMW = "Loshchilov & Hutter 2019, arXiv:1711.05101"
# PyTorch's optimizers that add weight decay to the gradient; others that are named like them may decouple it.
COUPLED = ("Adam", "RMSprop", "NAdam", "RAdam", "Adamax")
# Names of Adam and its variants with the same two betas. AdaBelief's and Adan's numbers mean something else.
ADAM_TYPE = ("Adam", "NAdam", "RAdam", "PagedAdam", "FusedAdam")
REBUILD = "Create the optimizer last, from the model that trains: torch.optim.SGD(model.parameters(), ...)."
STANDS_STILL = ("loss.not_learning", "lr.too_low", "lr.update_ratio", "schedule.*", "init.gradient_flow")


@check("optimizer.missing_parameters", explains=STANDS_STILL)
def missing_parameters(ownership: Ownership, pretraining: Pretraining, *, most: float = 0.5) -> Verdicts:
    """Trainable parameters that no optimizer holds.

    What it does: compares the model's trainable parameters with the optimizers', by identity.
    Why it costs accuracy: what no optimizer holds stays at its random initial value.
    Remedy: create the optimizer after the whole model, from model.parameters().
    Thresholds: any missing parameter warns; from half of all trainable numbers on it is critical. In a pretrained model
    it informs: an optimizer for the head alone is the usual way to train a linear probe.
    Measured: no measurement yet.
    """
    o = ownership
    if not o.missing or o.foreign:
        yield Note(f"the optimizer holds {o.held:,} parameters, {o.trainable:,} are trainable")
        return
    share = o.missing_count / max(o.trainable, 1)
    say = info if pretraining.done else critical if share >= most else warning
    yield say(
        f"{len(o.missing)} trainable parameter tensors ({o.missing_count:,} numbers, {share:.0%} of all) are in no optimizer: "
        "they will never change.",
        f"{REBUILD} What is meant to stay fixed: set requires_grad_(False) on it.",
        where=o.missing,
        share=share,
    )


@check("optimizer.stale_parameters", explains=("optimizer.missing_parameters", *STANDS_STILL))
def stale_parameters(ownership: Ownership, *, most: float = 0.5) -> Verdicts:
    """The optimizer holds parameters that are not the model's.

    What it does: compares by identity; parameters of the optimizer that belong neither to the model nor to the
    criterion, while parameters of the model are missing from it.
    Why it costs accuracy: it steps tensors that nothing uses. It happens when layers are replaced, or the model is
    built or copied anew, after the optimizer was created.
    Remedy: create the optimizer after the last change to the model.
    Thresholds: as optimizer.missing_parameters. Foreign parameters while none of the model's is missing (a second
    model, a learned loss) are a design.
    Measured: no measurement yet.
    """
    o = ownership
    if o.foreign and o.missing:
        share = o.missing_count / max(o.trainable, 1)
        say = critical if share >= most else warning
        yield say(
            f"The optimizer holds {o.foreign_tensors} tensors ({o.foreign:,} numbers) that are not the model's, and "
            f"lacks {len(o.missing)} that are ({share:.0%} of what is trainable): it was built for another model, or before "
            "layers were replaced.",
            REBUILD,
            where=("optimizer", *o.missing[:3]),
            share=share,
        )


@check("optimizer.duplicated")
def duplicated(ownership: Ownership) -> Verdicts:
    """A parameter is in the optimizer twice.

    What it does: counts each parameter over all groups and optimizers.
    Why it costs accuracy: it is stepped twice with the same gradient, at twice the rate and with two momenta.
    Remedy: give every parameter to one group.
    Thresholds: none; identity.
    Measured: no measurement yet.
    """
    if ownership.duplicated:
        names = ownership.duplicated
        yield warning(
            f"{len(names)} parameters are held more than once and are stepped as often: {', '.join(names[:3])}.",
            "Give each parameter to exactly one parameter group of one optimizer.",
            where=names,
        )


@check("optimizer.no_momentum", references=("Sutskever et al. 2013, On the importance of initialization and momentum",))
def no_momentum(
    parameter_groups: tuple[Group, ...],
    architecture: Architecture,
    pretraining: Pretraining,
    *,
    high_rate: float = 0.3,
    least: float = 0.1,
) -> Verdicts:
    """SGD without momentum.

    What it does: reads the momentum of SGD.
    Why it costs accuracy: every published CIFAR and ImageNet recipe of deep convolutional nets uses 0.9; without it the
    same rate is effectively ten times lower.
    Remedy: momentum=0.9 (with nesterov=True if you like).
    Thresholds: warns for deep convolutional nets (10 convolutions or more); a rate of 0.3 and more may be meant to make
    up for it, and small nets, textbook examples and fine-tuning do well without: info. Below 0.1 a step is carried
    less than 1.12 times as far as without any: that is none.
    Measured: no measurement yet.
    """
    from_scratch = architecture.is_deep_convolutional and not pretraining.done
    for group in parameter_groups:
        if group.optimizer == "SGD" and (group.momentum or 0.0) < least:
            say = warning if from_scratch and group.base_lr < high_rate else info
            held = f"with a momentum of {group.momentum:g}" if group.momentum else "without momentum"
            yield say(
                f"SGD runs {held} at a rate of {group.base_lr:g}.",
                f"torch.optim.SGD(model.parameters(), lr={group.base_lr:g}, momentum=0.9, weight_decay={group.weight_decay:g})",
                where=f"{group.place}.momentum",
                rate=group.base_lr,
            )
            return


@check("optimizer.adam_on_sgd_recipe", references=("Wilson et al. 2017, arXiv:1705.08292",))
def adam_on_sgd_recipe(parameter_groups: tuple[Group, ...], architecture: Architecture, decay: Decay) -> Verdicts:
    """An adaptive optimizer where the published recipe for this family is SGD with momentum.

    What it does: compares the optimizer with the kind of model, where images are classified.
    Why it costs accuracy: on CIFAR-type data adaptive methods often end below well-tuned SGD (Wilson et al. 2017).
    Remedy: SGD with lr=0.1, momentum=0.9, weight decay 1e-4 to 5e-4, and a schedule.
    Thresholds: an info only: tuned adaptive recipes for such nets exist.
    Measured: no measurement yet.
    """
    group = parameter_groups[0]
    if group.adaptive and architecture.is_deep_convolutional and decay.classifies and not group.decoupled:
        yield info(
            f"{group.optimizer} trains a convolutional net with {architecture.convolutions} convolutions; the published "
            "recipes for its like use SGD with momentum.",
            "torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4) with a cosine schedule",
            where="optimizer",
        )


@check("optimizer.coupled_decay", references=(ADAMW,))
def coupled_decay(parameter_groups: tuple[Group, ...], *, most: float = 1e-3) -> Verdicts:
    """L2 in Adam, where the decoupled weight decay of AdamW is meant.

    What it does: finds weight_decay in an adaptive optimizer that adds it to the gradient.
    Why it costs accuracy: the gradient's size divides it out, so that the weights that need it most are decayed least;
    and a value copied from AdamW (0.01 to 0.1) dominates the gradient.
    Remedy: torch.optim.AdamW with the same number.
    Thresholds: above 1e-3 warns; up to there (graph nets with 5e-4, DARTS with 1e-3) published recipes use it: info.
    Measured: a CNN of three convolutions on 8,000 images of CIFAR-10 (16x16, 2 seeds): in 6 epochs 1e-3 to 3e-2 cost
    nothing, 0.1 costs 1 point, 0.3 costs 4, 1.0 costs 14. Over a whole run, in which the gradient shrinks: no
    measurement yet.
    """
    for group in parameter_groups:
        if group.optimizer in COUPLED and not group.decoupled and group.weight_decay > 0:
            say = warning if group.weight_decay > most else info
            yield say(
                f"{group.optimizer} adds weight_decay={group.weight_decay:g} to the gradient, where its own scaling divides it out.",
                f"torch.optim.AdamW(model.parameters(), lr={group.base_lr:g}, weight_decay={max(group.weight_decay, 1e-2):g})",
                where=f"{group.place}.weight_decay",
                weight_decay=group.weight_decay,
            )
            return


@check(
    "optimizer.epsilon",
    explains=("lr.too_low", "loss.diverges", "loss.nonfinite", "loop.nonfinite"),
    references=("Kingma & Ba 2015, arXiv:1412.6980",),
)
def epsilon(parameter_groups: tuple[Group, ...], *, most: float = 1e-3, least: float = 1e-30) -> Verdicts:
    """Adam's epsilon is so large that it is the step, or zero.

    What it does: reads eps of PyTorch's Adam-type optimizers.
    Why it costs accuracy: gradients' sizes are 1e-5 to 1e-2; a larger eps turns Adam into slow SGD, and without one a
    gradient that is exactly zero divides zero by zero.
    Remedy: eps=1e-8.
    Thresholds: above 1e-3 and below 1e-30. Float16 recipes use up to 1e-4, and radiance fields (instant-ngp, Gaussian
    splatting) 1e-15. RMSprop is left out: published recipes (Inception, EfficientNet) run it with 1e-3 to 1.
    Measured: no measurement yet.
    """
    for group in parameter_groups:
        if group.eps is None or not group.optimizer.startswith(ADAM_TYPE) or least <= group.eps <= most:
            continue
        large = group.eps > most
        yield warning(
            f"{group.optimizer}'s eps is {group.eps:g}: "
            + (
                "larger than most gradients, so it sets the step." if large else "a zero gradient divides zero by zero."
            ),
            "eps=1e-8",
            where=f"{group.place}.eps",
            eps=group.eps,
        )


@check(
    "optimizer.betas",
    explains=("loss.diverges", "lr.too_high", "lr.too_low", "decay.too_strong"),
    references=(
        "Reddi et al. 2018, arXiv:1904.09237",
        "Isensee et al. 2021, nnU-Net, Nature Methods 18: momentum 0.99 at a rate of 0.01",
    ),
)
def betas(
    parameter_groups: tuple[Group, ...], *, most: float = 0.99, least_second: float = 0.8, most_rate: float = 2.0
) -> Verdicts:
    """A momentum that averages over too long or too short a time.

    What it does: reads betas and momentum, and the rate that SGD's momentum multiplies.
    Why it costs accuracy: a momentum of m averages 1/(1-m) steps and multiplies SGD's rate by it: 0.99 makes 0.1 act
    as 10. A second beta below the first lets Adam diverge.
    Remedy: momentum=0.9; betas=(0.9, 0.999).
    Thresholds: a momentum or first beta above 0.99 warns; 0.99 itself with SGD only where rate / (1 - momentum) is
    above 2, twice what He et al. (0.1 with 0.9) and nnU-Net (0.01 with 0.99) use. For Adam-type optimizers also a
    second beta under 0.8, or under the square of the first (the convergence condition of Kingma & Ba, section 4).
    Measured: no measurement yet.
    """
    for group in parameter_groups:
        first = group.betas[0] if group.betas else (group.momentum or 0.0)
        second = group.betas[1] if group.betas else 1.0
        usual_product = not group.adaptive and group.base_lr / max(1 - first, 1e-9) <= most_rate
        if first > most + 1e-9 or (first >= most - 1e-9 and not usual_product):
            yield warning(
                f"{group.optimizer}'s momentum is {first:g}: it averages {1 / max(1 - first, 1e-9):.0f} steps.",
                "momentum=0.9" if group.betas is None else "betas=(0.9, 0.999)",
                where=f"{group.place}.{'betas' if group.betas else 'momentum'}",
                momentum=first,
            )
        elif second < max(least_second, first**2) and group.optimizer.startswith(ADAM_TYPE):
            yield warning(
                f"{group.optimizer}'s second beta is {second:g} (the first is {first:g}): the gradient's size is forgotten "
                f"after {1 / max(1 - second, 1e-9):.0f} steps.",
                "betas=(0.9, 0.999)",
                where=f"{group.place}.betas",
                beta2=second,
            )


@check(
    "optimizer.negative", explains=("lr.*", "loss.diverges", "loss.nonfinite", "loop.nonfinite", "loss.not_learning")
)
def negative(parameter_groups: tuple[Group, ...], optimizers: tuple[object, ...]) -> Verdicts:
    """The optimizer goes uphill: a negative rate or decay, or maximize=True.

    What it does: reads signs.
    Why it costs accuracy: it increases the loss, or the weights.
    Remedy: positive numbers; maximize=False.
    Thresholds: none; signs.
    Measured: no measurement yet.
    """
    for group in parameter_groups:
        for name, value in (
            ("lr", group.lr),
            ("weight_decay", group.weight_decay),
            ("momentum", group.momentum or 0.0),
        ):
            if value < 0:
                yield critical(
                    f"{group.optimizer}'s {name} is {value:g}.", f"{name}={-value:g}", where=f"{group.place}.{name}"
                )
    for optimizer in optimizers:
        if any(g.get("maximize") for g in getattr(optimizer, "param_groups", ())):
            yield critical(
                f"{type(optimizer).__name__} has maximize=True: it climbs the loss.",
                "maximize=False",
                where="optimizer.param_groups[0].maximize",
            )


CHECKS = (
    missing_parameters,
    stale_parameters,
    duplicated,
    no_momentum,
    adam_on_sgd_recipe,
    coupled_decay,
    epsilon,
    betas,
    negative,
)
