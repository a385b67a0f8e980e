"""The faults whose cost is measured, the classic ones first: a budget that ends leaves out the rare ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from subject import Change, Fault, Subject
from torch import Tensor, nn

from trainingdoctor.reference.augmentation import Draws, augmented, normalized, statistics
from trainingdoctor.reference.data import Images
from trainingdoctor.reference.parts import cross_entropy, groups, on_gpu
from trainingdoctor.reference.recipe import Recipe, schedule
from trainingdoctor.reference.resnet import Block


def recipe(**changes: float | bool | str | tuple[float, ...]) -> Change:
    """Another number in the recipe."""
    return lambda s: s.recipe(**changes)


def peak(factor: float) -> Change:
    """The rate times `factor`."""
    return lambda s: s.recipe(peak=s.settings.recipe.peak * factor)


def unchanged(images: Tensor, draws: Draws) -> Tensor:
    """No augmentation."""
    return images


def constant(of: Recipe, steps: int) -> Callable[[int], float]:
    """The peak rate from the first step to the last."""
    return lambda step: of.peak


def of_a_longer_run(times: float) -> Callable[[Recipe, int], Callable[[int], float]]:
    """The schedule of a run `times` as long, cut where this one ends."""
    return lambda of, steps: schedule(of, round(times * steps))


def of_a_shorter_run(share: float) -> Callable[[Recipe, int], Callable[[int], float]]:
    """The schedule over after `share` of the steps; the rest at its last rate."""

    def rate(of: Recipe, steps: int) -> Callable[[int], float]:
        last = max(1, round(share * steps)) - 1
        planned = schedule(of, last + 1)
        return lambda step: planned(min(step, last))

    return rate


def adam(rate: float) -> Change:
    """Adam at `rate`, the decay coupled as torch.optim.Adam couples it."""

    def optimizer(model: nn.Module, of: Recipe) -> torch.optim.Optimizer:
        gpu = on_gpu(model)
        return torch.optim.Adam(groups(model, of), lr=of.peak, fused=gpu, capturable=gpu)

    return lambda s: s.recipe(peak=rate).part(optimizer=optimizer)


def on_norms(act: Callable[[nn.BatchNorm2d], None]) -> Change:
    """`act` on each BatchNorm."""

    def prepare(model: nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                act(module)

    return lambda s: s.part(prepare=prepare)


def momentum(value: float) -> Change:
    """BatchNorm's momentum."""
    return on_norms(lambda norm: setattr(norm, "momentum", value))


@torch.no_grad()
def _scaled_weights(model: nn.Module, factor: float) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.mul_(factor)


@torch.no_grad()
def _constant_weights(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.fill_(0.01)


def _last_layer_alone(s: Subject) -> Subject:
    return s.part(
        optimizer=lambda m, of: torch.optim.SGD(list(m.parameters())[-2:], lr=of.peak, momentum=0.9, fused=on_gpu(m))
    )


def data(change: Callable[[Images], Images]) -> Change:
    """Other images or labels."""
    return lambda s: replace(s, images=change(s.images))


def wrong_labels(share: float) -> Change:
    """A share of the training labels replaced by random ones."""

    def change(images: Images) -> Images:
        generator = torch.Generator().manual_seed(7)
        struck = torch.rand(len(images.train_y), generator=generator) < share
        random = torch.randint(images.classes, images.train_y.shape, generator=generator)
        return replace(images, train_y=torch.where(struck, random, images.train_y))

    return data(change)


def by_class(images: Images) -> Images:
    """Sorted by class."""
    order = images.train_y.argsort(stable=True)
    return replace(images, train_x=images.train_x[order], train_y=images.train_y[order])


def in_order(count: int, generator: torch.Generator) -> Tensor:
    """No shuffling."""
    return torch.arange(count)


def softmaxed(of: Recipe) -> Callable[[Tensor, Tensor], Tensor]:
    """A softmax before the cross-entropy."""
    criterion = cross_entropy(of)
    return lambda logits, y: criterion(logits.softmax(1), y)


def darkened(images: Tensor) -> Tensor:
    """Test images in 0..1, not normalized."""
    return (images.float() / 255).contiguous(memory_format=torch.channels_last)


def shifted(images: Tensor) -> Tensor:
    """Test images cropped and mirrored at random, too."""
    generator = torch.Generator().manual_seed(3)
    return augmented(normalized(images), Draws.of_epoch(torch.arange(len(images)), generator).to(images.device))


def raw_view(images: Tensor) -> Tensor:
    """Pixels as they are, 0 to 255."""
    return images.float().contiguous(memory_format=torch.channels_last)


def raw(images: Tensor, draws: Draws) -> Tensor:
    """Pixels of 0 to 255, cropped and mirrored: what the normalization did is undone."""
    mean, std = statistics(images.device)
    return augmented((images * std + mean) * 255, draws)


def half_erased(images: Tensor, draws: Draws) -> Tensor:
    """The usual augmentation, then the left or the upper half gone."""
    x = augmented(images, draws)
    columns = torch.arange(32, device=x.device)
    left = (draws.shifts[0] % 2 == 0)[:, None, None, None]
    gone = torch.where(left, columns[None, None, None, :] < 20, columns[None, None, :, None] < 20)
    return x.masked_fill(gone, 0.0)


def dropped(rate: float) -> Change:
    """Dropout before each block's second BatchNorm."""

    def prepare(model: nn.Module) -> None:
        for name, module in list(model.named_modules()):
            if name.endswith("conv2"):
                owner = model.get_submodule(name.rpartition(".")[0])
                owner.conv2 = nn.Sequential(module, nn.Dropout(rate))

    return lambda s: s.part(prepare=prepare)


def no_shortcuts(model: nn.Module) -> None:
    """Every block without its shortcut."""
    for module in model.modules():
        if isinstance(module, Block):
            module.shortcut = _nothing(module)  # type: ignore[method-assign]


def _nothing(block: Block) -> Callable[[Tensor], Tensor]:
    return lambda x: Block.shortcut(block, x) * 0


def all_of(*changes: Change) -> Change:
    """Several at once."""

    def change(s: Subject) -> Subject:
        for one in changes:
            s = one(s)
        return s

    return change


NO_AUGMENTATION: Change = lambda s: s.part(augment=unchanged)  # noqa: E731
NEVER_DECAYS: Change = lambda s: s.part(rate=constant)  # noqa: E731
FIFTH = data(lambda images: images.limited(len(images.train_x) // 5))

FAULTS = (
    Fault("no augmentation", "augmentation.missing", "none", NO_AUGMENTATION),
    Fault("rate never decays", "schedule.never_decays", "constant at the peak", NEVER_DECAYS),
    Fault("rate 10 times too high", "lr.too_high", "times 10", peak(10)),
    Fault("rate 100 times too low", "lr.too_low", "divided by 100", peak(0.01)),
    Fault("no weight decay", "decay.missing", "0", recipe(weight_decay=0.0)),
    Fault("BatchNorm momentum 0.99", "batchnorm.momentum", "0.99", momentum(0.99)),
    Fault("Adam for SGD", "optimizer.adam_on_sgd_recipe", "Adam at 1e-3, coupled decay 5e-4", adam(1e-3)),
    Fault("no momentum", "optimizer.no_momentum", "0", recipe(momentum=0.0, nesterov=False)),
    Fault(
        "softmax before the loss",
        "loss.softmax_before_cross_entropy",
        "in the model",
        lambda s: s.part(criterion=softmaxed),
    ),
    Fault("a fifth of the data", "data.subset", "20 %", FIFTH),
    Fault(
        "no augmentation, rate constant at five times the peak, no decay, BatchNorm momentum 0.99",
        "combination",
        "examples/resnet110_77.py",
        all_of(NO_AUGMENTATION, NEVER_DECAYS, peak(5), recipe(weight_decay=0.0), momentum(0.99)),
    ),
    Fault(
        "no augmentation, Adam, no schedule",
        "combination",
        "Adam at 1e-3",
        all_of(NO_AUGMENTATION, adam(1e-3), NEVER_DECAYS),
    ),
    Fault("BatchNorm in eval mode in training", "batchnorm.eval_in_training", "all", lambda s: s.part(trains=False)),
    Fault(
        "evaluated in training mode",
        "loop.train_mode_in_evaluation",
        "batches of 1000",
        lambda s: s.part(evaluates=True),
    ),
    Fault("weight decay ten times too strong", "decay.too_strong", "5e-3", recipe(weight_decay=5e-3)),
    Fault("weight decay on BatchNorm and biases", "decay.on_norm_and_bias", "5e-4", recipe(decay_all=True)),
    Fault(
        "test images not normalized",
        "normalization.train_eval_mismatch",
        "0..1",
        lambda s: s.part(evaluation_view=darkened),
    ),
    Fault(
        "test images augmented",
        "augmentation.on_evaluation",
        "crop and flip",
        lambda s: s.part(evaluation_view=shifted),
    ),
    Fault("one label in five wrong", "labels.noise", "20 % drawn at random", wrong_labels(0.2)),
    Fault("all labels shuffled", "labels.shuffled", "100 % drawn at random", wrong_labels(1.0)),
    Fault(
        "sorted by class, never shuffled",
        "data.not_shuffled",
        "whole classes in a row",
        all_of(data(by_class), lambda s: s.part(order=in_order)),
    ),
    Fault(
        "schedule three times too long",
        "schedule.ends_high",
        "ends at two thirds of the peak",
        lambda s: s.part(rate=of_a_longer_run(3)),
    ),
    Fault(
        "schedule over after a tenth",
        "schedule.decays_too_early",
        "10 % of the steps",
        lambda s: s.part(rate=of_a_shorter_run(0.1)),
    ),
    Fault("gradients clipped to 0.01", "clip.too_small", "norm 0.01", lambda s: s.part(clip=0.01)),
    Fault(
        "weights ten times too large",
        "init.scale",
        "times 10",
        lambda s: s.part(prepare=lambda m: _scaled_weights(m, 10.0)),
    ),
    Fault("weights all the same", "init.constant", "0.01", lambda s: s.part(prepare=_constant_weights)),
    Fault("only the last layer optimized", "optimizer.missing_parameters", "99.9 % missing", _last_layer_alone),
    Fault(
        "half of each image erased",
        "augmentation.too_strong",
        "20 of 32 columns or rows",
        lambda s: s.part(augment=half_erased),
    ),
    Fault("dropout before BatchNorm", "dropout.before_batchnorm", "0.5", dropped(0.5)),
    Fault("no shortcuts", "model.no_residual", "all blocks", lambda s: s.part(prepare=no_shortcuts)),
    Fault("label smoothing 0.8", "regularization.excessive", "0.8", recipe(label_smoothing=0.8)),
    Fault("BatchNorm momentum 0.001", "batchnorm.statistics_stale", "0.001", momentum(0.001)),
    Fault(
        "no normalization of the pixels",
        "normalization.missing",
        "0..255",
        lambda s: s.part(augment=raw, evaluation_view=raw_view),
    ),
    Fault(
        "a fifth of the epochs",
        "epochs.too_few",
        "20 %",
        lambda s: replace(s, settings=replace(s.settings, epochs=max(1, s.settings.epochs // 5))),
    ),
)
