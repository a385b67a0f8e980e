"""Faults as changes of the template's slots: the code that must be found, and whether a source fix is expected of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from templates import CROP, FLIP, NORMALIZE, TENSOR

SGD = "SGD({parameters}, lr={rate}, momentum=0.9, weight_decay=5e-4)"
EVERY_BN = "for m in model.modules():\n    if isinstance(m, nn.BatchNorm2d):\n        "


@dataclass(frozen=True)
class Fault:
    """codes: what must be found.  changes: slots.  fixable: whether `fix` is expected to cure it."""

    name: str
    codes: tuple[str, ...]
    changes: dict[str, object] = field(default_factory=dict)
    fixable: bool = True


def one(name: str, code: str, fixable: bool = True, **changes: object) -> Fault:
    """A single fault."""
    return Fault(name, (code,), changes, fixable)


SINGLE = (
    one("no augmentation", "augmentation.missing", train_steps=(TENSOR, NORMALIZE)),
    one("evaluation transforms for training", "augmentation.missing", train_transform="test_transform"),
    one("mirrored only", "augmentation.weak", train_steps=(FLIP, TENSOR, NORMALIZE)),
    one("training transforms for evaluation", "augmentation.on_evaluation", test_transform="train_transform"),
    one("random crop in evaluation", "augmentation.on_evaluation", test_steps=(CROP, TENSOR, NORMALIZE)),
    one(
        "colour jitter after Normalize",
        "augmentation.order",
        train_steps=(CROP, FLIP, TENSOR, NORMALIZE, "transforms.ColorJitter(0.4, 0.4, 0.4)"),
    ),
    one("not normalized", "normalization.missing", train_steps=(CROP, FLIP, TENSOR), test_steps=(TENSOR,)),
    one(
        "deviation ten times too small",
        "normalization.wrong_statistics",
        train_steps=(CROP, FLIP, TENSOR, "transforms.Normalize((0.49, 0.48, 0.45), (0.0247, 0.0243, 0.0262))"),
        test_steps=(TENSOR, "transforms.Normalize((0.49, 0.48, 0.45), (0.0247, 0.0243, 0.0262))"),
    ),
    one(
        "normalized twice",
        "normalization.wrong_statistics",
        train_steps=(CROP, FLIP, TENSOR, NORMALIZE, NORMALIZE),
        test_steps=(TENSOR, NORMALIZE, NORMALIZE),
    ),
    one("evaluation not normalized", "normalization.train_eval_mismatch", test_steps=(TENSOR,)),
    one(
        "other constants in evaluation",
        "normalization.train_eval_mismatch",
        test_steps=(TENSOR, "transforms.Normalize((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))"),
    ),
    one("not shuffled", "data.not_shuffled", loader="batch_size=128"),
    one("batches of two", "batchnorm.small_batch", loader="batch_size=2, shuffle=True"),
    one("momentum 0.99 in the layers", "batchnorm.momentum", bn=", momentum=0.99"),
    one("momentum 0 in the layers", "batchnorm.momentum", bn=", momentum=0.0"),
    one("momentum set to 0.99", "batchnorm.momentum", after_model=f"{EVERY_BN}m.momentum = 0.99"),
    one("BatchNorm in evaluation mode", "batchnorm.eval_in_training", after_model=f"{EVERY_BN}m.eval()"),
    one("no running statistics", "batchnorm.untracked", bn=", track_running_stats=False"),
    one("epsilon 5", "batchnorm.eps", bn=", eps=5.0"),
    one("dropout 0.97", "dropout.too_high", dropout="0.97"),
    one("rate 20", "lr.too_high", rate="20.0"),
    one("rate 1e-6", "lr.too_low", rate="1e-6"),
    one("no schedule", "schedule.missing", scheduler=""),
    one(
        "milestones after the end",
        "schedule.never_decays",
        scheduler="MultiStepLR(optimizer, milestones=[100, 150], gamma=0.1)",
    ),
    one("step size after the end", "schedule.never_decays", scheduler="StepLR(optimizer, 80)"),
    one("decays every epoch", "schedule.decays_too_early", scheduler="ExponentialLR(optimizer, gamma=0.5)"),
    one("cosine cut short", "schedule.ends_high", scheduler="CosineAnnealingLR(optimizer, T_max=200)"),
    one("cosine climbs again", "schedule.restarts_at_end", scheduler="CosineAnnealingLR(optimizer, T_max=30)"),
    one("cosine in steps", "schedule.step_unit", scheduler="CosineAnnealingLR(optimizer, T_max=60 * 391)"),
    one(
        "scheduler of another optimizer",
        "schedule.wrong_optimizer",
        scheduler="CosineAnnealingLR(torch.optim.SGD(model.parameters(), lr=0.1), T_max={epochs})",
    ),
    one("no momentum", "optimizer.no_momentum", optimizer="SGD({parameters}, lr={rate}, weight_decay=5e-4)"),
    one(
        "Adam's epsilon 0.1",
        "optimizer.epsilon",
        rate="0.001",
        optimizer="Adam({parameters}, lr={rate}, eps=0.1)",
    ),
    one(
        "Adam's betas (0.9, 0.5)",
        "optimizer.betas",
        rate="0.001",
        optimizer="Adam({parameters}, {rate}, (0.9, 0.5))",
    ),
    one(
        "L2 0.1 in Adam",
        "optimizer.coupled_decay",
        rate="0.001",
        optimizer="Adam({parameters}, lr={rate}, weight_decay=0.1)",
    ),
    one(
        "uphill",
        "optimizer.negative",
        optimizer="SGD({parameters}, lr={rate}, momentum=0.9, weight_decay=5e-4, maximize=True)",
    ),
    one("no weight decay", "decay.missing", optimizer="SGD({parameters}, lr={rate}, momentum=0.9)", dropout="0.0"),
    one(
        "weight decay 0.5",
        "decay.too_strong",
        optimizer="SGD({parameters}, lr={rate}, momentum=0.9, weight_decay=0.5)",
    ),
    one("only the head trains", "optimizer.missing_parameters", parameters="model.fc.parameters()"),
    one("head replaced afterwards", "optimizer.stale_parameters", after_optimizer="model.fc = nn.Linear(64, 10)"),
    one("softmax at the end", "loss.softmax_before_cross_entropy", head="F.softmax(x, dim=1)"),
    one("softmax as a method", "loss.softmax_before_cross_entropy", head="x.softmax(1)"),
    one(
        "softmax as a layer",
        "loss.softmax_before_cross_entropy",
        fc="nn.Sequential(nn.Linear(64, num_classes), nn.Softmax(dim=1))",
    ),
    one("logits into NLLLoss", "loss.softmax_before_cross_entropy", criterion="nn.NLLLoss()"),
    one("summed loss", "loss.reduction", criterion='nn.CrossEntropyLoss(reduction="sum")'),
    one("labels smoothed by 0.9", "regularization.excessive", criterion="nn.CrossEntropyLoss(label_smoothing=0.9)"),
    one(
        "a class without weight",
        "loss.class_weights",
        criterion="nn.CrossEntropyLoss(weight=torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]))",
    ),
    one("ReLU on the logits", "model.relu_on_logits", head="F.relu(x)"),
    one("head of zeros", "init.zero", init="nn.init.zeros_(self.fc.weight)\nnn.init.zeros_(self.stem[0].weight)"),
    one("head of ones", "init.constant", init="nn.init.constant_(self.fc.weight, 1.0)"),
    one("head of N(0, 10)", "init.logits_scale", init="nn.init.normal_(self.fc.weight, 0.0, 10.0)"),
    one("seven outputs", "model.output_width", classes="7"),
    one("three epochs", "epochs.too_few", epochs="3"),
    one(
        "a tenth of the data",
        "data.subset",
        False,
        loader="batch_size=128, sampler=torch.utils.data.SubsetRandomSampler(range(5000))",
    ),
    one(
        "dropout before BatchNorm",
        "dropout.before_batchnorm",
        False,
        fc="nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(64), nn.Linear(64, num_classes))",
    ),
)
SEVERAL = (
    Fault(
        "the 77 % recipe",
        ("augmentation.missing", "schedule.missing", "decay.missing", "batchnorm.momentum"),
        {
            "train_steps": (TENSOR, NORMALIZE),
            "scheduler": "",
            "optimizer": "SGD({parameters}, lr={rate}, momentum=0.9)",
            "after_model": f"{EVERY_BN}m.momentum = 0.99",
            "dropout": "0.0",
        },
    ),
    Fault(
        "softmax and no schedule",
        ("loss.softmax_before_cross_entropy", "schedule.missing"),
        {"head": "F.softmax(x, dim=1)", "scheduler": ""},
    ),
    Fault(
        "raw pixels and training transforms for evaluation",
        ("normalization.missing", "augmentation.on_evaluation"),
        {"train_steps": (CROP, FLIP, TENSOR), "test_transform": "train_transform"},
    ),
    Fault(
        "no momentum, and milestones after the end",
        ("optimizer.no_momentum", "schedule.never_decays"),
        {
            "optimizer": "SGD({parameters}, lr={rate}, weight_decay=5e-4)",
            "scheduler": "MultiStepLR(optimizer, [100, 150])",
        },
    ),
)
HEALTHY = Fault("healthy", ())
FAULTS = (*SINGLE, *SEVERAL)
