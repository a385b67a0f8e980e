"""Faults of the model, its BatchNorm layers and its initialization, and of what the loss gets to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from fault import Fault, both, change, fault, last_linear, later, model_step, modules, replaced, weights
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

from trainingdoctor.reference.resnet import Block

DC, TD, UM, TC = "DeepCrime", "TheDeepChecker", "UMLAUT", "TrainCheck"
NORMS = (nn.BatchNorm2d,)


class Around(nn.Module):
    """A net with something done before, after, or to it in forward()."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.done(self.body, x)

    def done(self, body: nn.Module, x: Tensor) -> Tensor:
        raise NotImplementedError


class Constant(Around):
    def done(self, body: nn.Module, x: Tensor) -> Tensor:
        return body(x * 0)


class FunctionalDropout(Around):
    def done(self, body: nn.Module, x: Tensor) -> Tensor:
        return F.dropout(body(x), 0.3)


class Mixed(Around):
    """The mean of the batch is taken out of the logits."""

    def done(self, body: nn.Module, x: Tensor) -> Tensor:
        out = body(x)
        return out - out.mean(0) + out.roll(1, 0)


class Detached(nn.Module):
    """A head on outputs that are cut from the graph."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.extra = body, nn.Linear(10, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.extra(self.body(x).detach())


def tail(*layers: nn.Module) -> Callable[[nn.Module], nn.Module]:
    return lambda model: nn.Sequential(model, *layers)


def each_norm(**values: Any) -> Callable[[nn.Module], None]:
    def step(model: nn.Module) -> None:
        for module in modules(model, *NORMS):
            for name, value in values.items():
                setattr(module, name, value)

    return step


def norms_to_eval(model: nn.Module) -> None:
    for module in modules(model, *NORMS):
        module.eval()


def norms_stuck(model: nn.Module) -> None:
    for module in modules(model, *NORMS):
        module.eval()
        module.train = lambda mode=True, module=module: module


def untracked(model: nn.Module) -> None:
    for m in modules(model, *NORMS):
        m.track_running_stats = False
        m.running_mean = m.running_var = m.num_batches_tracked = None


def shared_norm(model: nn.Module) -> None:
    """One BatchNorm layer for all places of its width."""
    first: dict[int, nn.Module] = {}
    replaced(model, NORMS, lambda m: first.setdefault(m.num_features, m))


def new_head(*layers: Callable[[nn.Linear], nn.Module]) -> Callable[[nn.Module], None]:
    """Replace the head by a sequence made of it."""

    def step(model: nn.Module) -> None:
        head = last_linear(model)
        replaced(model, nn.Linear, lambda m: nn.Sequential(*(make(m) for make in layers)) if m is head else m)

    return step


def same(head: nn.Linear) -> nn.Module:
    return head


def nine_outputs(model: nn.Module) -> None:
    new_head(lambda h: nn.Linear(h.in_features, 9))(model)


@torch.no_grad()
def big_head(model: nn.Module) -> None:
    last_linear(model).weight.mul_(100)


@torch.no_grad()
def dead(model: nn.Module) -> None:
    """Large negative biases before the activations of the second half."""
    layers = modules(model, nn.BatchNorm2d, nn.GroupNorm) or modules(model, nn.Conv2d, nn.Linear)[:-1]
    for module in layers[len(layers) // 2 :]:
        module.bias.fill_(-8.0)


def tiled(weight: Tensor) -> None:
    weight.copy_(weight[:1, :1].expand_as(weight))


def frozen_but_norms(model: nn.Module) -> None:
    """TrainCheck: only BatchNorm trains, and the optimizer gets the frozen head."""
    for module in model.modules():
        for p in module.parameters(recurse=False):
            p.requires_grad_(isinstance(module, NORMS))


def freeze_attribute(model: nn.Module) -> None:
    """The attribute of a module freezes nothing."""
    for child in list(model.children())[:-1]:
        child.requires_grad = False


def coarse_stem(model: nn.Module) -> None:
    model.conv1 = nn.Sequential(nn.Conv2d(3, 16, 7, 4, 3, bias=False), nn.MaxPool2d(2))


class NoShortcut(nn.Module):
    """The two convolutions of a residual block, without the way around them."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.path = nn.Sequential(block.conv1, block.bn1, nn.ReLU(), block.conv2, block.bn2, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.path(x)


def no_shortcuts(model: nn.Module) -> None:
    kind = type(model.layer1[0])
    replaced(model, kind, NoShortcut)


def softmax_inside(model: nn.Module) -> None:
    activation(lambda: nn.Softmax(1))(model)


def activation(make: Callable[[], nn.Module]) -> Callable[[nn.Module], None]:
    """In place of each ReLU, also of those that the reference's blocks call as functions."""

    class Other(Block):
        def forward(self, x: Tensor) -> Tensor:
            out = make()(self.bn1(self.conv1(x)))
            return make()(self.bn2(self.conv2(out)) + self.shortcut(x))

    def step(model: nn.Module) -> None:
        replaced(model, nn.ReLU, lambda m: make())
        for block in modules(model, Block):
            block.__class__ = Other

    return step


def dropout_before_norms(model: nn.Module) -> None:
    replaced(model, NORMS, lambda m: nn.Sequential(nn.Dropout(0.5), m))


def all_dropout(p: float) -> Callable[[nn.Module], None]:
    def step(model: nn.Module) -> None:
        for module in modules(model, nn.Dropout):
            module.p = p

    return step


def negated(predictions: Tensor, targets: Tensor) -> Tensor:
    return -F.cross_entropy(predictions, targets)


def regress(predictions: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(predictions.argmax(1).float() + 0 * predictions.sum(1), targets.float())


def regress_first(predictions: Tensor, targets: Tensor) -> Tensor:
    """The mean of the outputs against the class number."""
    return F.mse_loss(predictions.mean(1), targets.float())


SEEN = ("loss.*", "lr.*", "init.*")
FAULTS: tuple[Fault, ...] = (
    fault("BatchNorm momentum 0.99", "batchnorm.momentum", model_step(each_norm(momentum=0.99)), "bn"),
    fault("BatchNorm momentum 0.9", "batchnorm.momentum", model_step(each_norm(momentum=0.9)), "bn", strength="subtle"),
    fault("BatchNorm momentum 0", "batchnorm.momentum", model_step(each_norm(momentum=0.0)), "bn"),
    fault("BatchNorm momentum 1e-6", "batchnorm.momentum", model_step(each_norm(momentum=1e-6)), "bn"),
    fault("BatchNorm in eval mode", "batchnorm.eval_in_training", model_step(norms_to_eval), "bn", consequences=SEEN),
    fault("BatchNorm stuck in eval mode", "batchnorm.eval_in_training", model_step(norms_stuck), "bn", consequences=SEEN),
    fault("BatchNorm untracked", "batchnorm.untracked", model_step(untracked), "bn"),
    fault("BatchNorm eps 10", "batchnorm.eps", model_step(each_norm(eps=10.0)), "bn", consequences=SEEN),
    fault("BatchNorm shared", "batchnorm.shared", model_step(shared_norm), "bn", strength="subtle"),
    fault("dropout 0.9 before the head", "dropout.too_high", model_step(new_head(lambda h: nn.Dropout(0.9), same)), "conv"),
    fault("dropout 0.8", "dropout.too_high", model_step(all_dropout(0.8)), "dropout", corpus=f"{UM} dropout 0.8; {DC} dropout"),
    fault("dropout before BatchNorm", "dropout.before_batchnorm", model_step(dropout_before_norms), "bn", consequences=("model.*", "lr.too_high")),
    fault("dropout on in eval", "dropout.without_mode", model_step(FunctionalDropout)),
    fault("constant weights", "init.constant", model_step(weights(lambda w: w.fill_(0.01))), without="attention", also=("init.identical_units",), corpus=f"{DC} initializer; {TD} initialization"),
    fault("zero weights", "init.zero", model_step(weights(lambda w: w.zero_())), corpus=f"{DC} initializer; {TD} initialization"),
    fault("identical units", "init.identical_units", model_step(weights(tiled)), without="attention", also=("init.constant",)),
    fault("weights N(0, 1)", "init.scale", model_step(weights(lambda w: w.normal_())), corpus=f"{DC} initializer; {TD} initialization"),
    fault("weights N(0, 1e-4)", "init.scale", model_step(weights(lambda w: w.normal_(0, 1e-4))), "plain", also=("init.gradient_flow",)),
    fault("head times 100", "init.logits_scale", model_step(big_head), corpus=f"{TD} over-scaled outputs"),
    fault("dead units", "init.dead_relu", model_step(dead), "relu"),
    fault("softmax before cross entropy", "loss.softmax_before_cross_entropy", model_step(tail(nn.Softmax(1))), corpus=f"{TD} redundant softmax"),
    fault("sigmoid before cross entropy", "loss.softmax_before_cross_entropy", model_step(tail(nn.Sigmoid())), corpus=f"{TD} wrong softmax", strength="subtle"),
    fault("logits into NLLLoss", "loss.softmax_before_cross_entropy", change(criterion=nn.NLLLoss()), corpus=f"{UM} logits into a loss for probabilities; {TD} missing softmax"),
    fault("probabilities into NLLLoss", "loss.softmax_before_cross_entropy", both(model_step(tail(nn.Softmax(1))), change(criterion=nn.NLLLoss()))),
    fault("ReLU on the logits", "model.relu_on_logits", model_step(tail(nn.ReLU())), corpus=f"{DC} activation added", consequences=("loss.*",)),
    fault("loss negated", "loss.sign", change(criterion=negated), corpus=f"{TD} flipped loss sign"),
    fault("loss summed", "loss.reduction", change(criterion=nn.CrossEntropyLoss(reduction="sum")), "sgd"),
    fault("loss not reduced", "loss.reduction", change(criterion=nn.CrossEntropyLoss(reduction="none"))),
    fault("class number regressed", "loss.wrong_for_task", change(criterion=regress_first), corpus=f"{DC} loss; {TD} wrong loss", consequences=SEEN),
    fault("argmax in the loss", "loss.not_learning", change(criterion=regress), corpus=f"{TD} wrong loss", also=("loss.wrong_for_task",), consequences=("model.unused_parameters", *SEEN)),
    fault("a class without weight", "loss.class_weights", change(criterion=nn.CrossEntropyLoss(weight=torch.tensor([1.0] * 9 + [0.0])))),
    fault("nine outputs", "model.output_width", model_step(nine_outputs)),
    fault("ImageNet stem", "model.stem_too_coarse", model_step(coarse_stem), "resnet"),
    fault("shortcuts removed", "model.no_residual", model_step(no_shortcuts), bases=("resnet56", "resnet110"), consequences=SEEN),
    fault("features detached", "model.unused_parameters", model_step(Detached)),
    fault("input ignored", "model.ignores_input", model_step(Constant)),
    fault("batch mixed", "model.batch_mixing", model_step(Mixed), consequences=("model.*", "loss.*")),
    fault("head frozen", "model.frozen", model_step(lambda m: last_linear(m).requires_grad_(False) and None)),
    fault("everything frozen", "model.frozen", model_step(lambda m: m.requires_grad_(False) and None)),
    fault("frozen by attribute", "model.freeze_without_effect", model_step(freeze_attribute), corpus=f"{TC} freeze without effect"),
    fault("all frozen but BatchNorm, optimizer on the head", "optimizer.frozen_parameters", both(model_step(frozen_but_norms), change(optimizer=lambda m: torch.optim.SGD(last_linear(m).parameters(), lr=0.1, momentum=0.9))), "bn", also=("optimizer.missing_parameters", "model.frozen"), corpus=f"{TC} frozen but BatchNorm", consequences=("model.frozen", "decay.missing", "optimizer.missing_parameters", "schedule.*")),
    fault("activations removed", "model.activation_missing", model_step(activation(nn.Identity)), "relu", corpus=f"{DC} activation removed; {UM} linear activations", consequences=SEEN),
    fault("sigmoid in place of ReLU", "init.gradient_flow", model_step(activation(nn.Sigmoid)), "deep relu", without="residual bn", corpus=f"{DC} activation changed; {TD} wrong activation", also=("model.saturated_activation", "init.scale"), consequences=SEEN),
    fault("softmax in place of ReLU", "model.saturated_activation", model_step(softmax_inside), "relu", corpus=f"{TD} wrong activation", also=("init.gradient_flow", "init.scale"), consequences=SEEN),
    # Under SGD at 0.1 float16 weights lose too few updates to cost accuracy: an info.
    fault("half precision weights under Adam", "precision.dtype", both(model_step(lambda m: m.half() and None), change(optimizer=lambda m: Adam(m.parameters(), 1e-3))), "bn", without="per-step", also=("training.raises",), consequences=("training.raises", "decay.missing", *SEEN)),
    fault("layers replaced after the optimizer", "optimizer.stale_parameters", later(new_head(lambda h: nn.Linear(h.in_features, 10))), strength="subtle"),
)  # fmt: skip
