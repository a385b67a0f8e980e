"""Public training scripts, and what is true of each. Only names and facts: no code of theirs is here."""

from __future__ import annotations

from dataclasses import dataclass

DEEP = "tutorials/02-intermediate/deep_residual_network/main.py"
SILENT = "silent-issue-detection/bug-reprod-scripts"
TC = "OrderLab/TrainCheck-Evaluation-Workloads"


@dataclass(frozen=True)
class Script:
    """One script of a repository. sick: codes of which one must lead; empty for a healthy one.

    tolerated: codes that are true of it besides.  why: where the truth comes from.  data: folders, beside the script's own,
    that it looks for its data in.  without: lines that hold this text are taken out, for a fault that was mended in a revision
    that needs a torch of its time.
    """

    repository: str
    path: str
    arguments: tuple[str, ...] = ()
    sick: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()
    why: str = ""
    data: tuple[str, ...] = ("data",)
    without: str = ""

    @property
    def name(self) -> str:
        """For people."""
        changed = (f"(without {self.without})",) if self.without else ()
        return " ".join((self.repository, "/".join(self.path.split("/")[-2:]), *self.arguments, *changed))


SCRIPTS = (
    Script("akamaster/pytorch_resnet_cifar10", "trainer.py", ("--arch=resnet20",), why="trains to 91.7 %"),
    Script(
        "akamaster/pytorch_resnet_cifar10",
        "trainer.py",
        ("--arch=resnet110",),
        ("schedule.overridden",),
        why="the rate of 0.01 that it begins with is taken over as initial_lr, and never left",
    ),
    Script("kuangliu/pytorch-cifar", "main.py", why="trains to 95 %"),
    Script("weiaicunzai/pytorch-cifar100", "train.py", ("-net", "squeezenet"), why="trains to 69 %"),
    Script(
        "yunjey/pytorch-tutorial",
        DEEP,
        (),
        ("decay.missing", "normalization.missing"),
        ("schedule.decays_too_early", "recipe.gap"),
        why="no weight decay, pixels in 0..1; eval() is there since 78c6afe",
        data=("../../data", "../../../data", "data"),
    ),
    Script(
        "yunjey/pytorch-tutorial",
        DEEP,
        (),
        ("loop.train_mode_in_evaluation",),
        ("decay.missing", "normalization.missing"),
        why="as before 78c6afe, which added eval()",
        data=("../../data", "../../../data", "data"),
        without="model.eval()",
    ),
    Script(
        "pytorch/examples",
        "mnist/main.py",
        (),
        ("data.not_shuffled",),
        why="without an accelerator its training loader does not shuffle: shuffle=True is among the arguments for one",
        data=("../data",),
    ),
    Script("pytorch/examples", "mnist_rnn/main.py", (), why="trains", data=("../data", "data")),
    Script("pytorch/examples", "vae/main.py", (), why="trains", data=("../data", "data")),
    Script(
        "pytorch/examples",
        "siamese_network/main.py",
        (),
        ("data.not_shuffled", "normalization.missing"),
        why="without an accelerator it does not shuffle, and it feeds raw pixels",
        data=("../data", "data"),
    ),
    Script("pytorch/examples", "regression/main.py", (), why="trains"),
    Script("pytorch/examples", "word_language_model/main.py", ("--epochs", "6"), why="trains", data=()),
    Script("pytorch/examples", "mnist_forward_forward/main.py", (), why="trains", data=("data",)),
    Script(
        "chengyangfu/pytorch-vgg-cifar10",
        "main.py",
        ("--arch=vgg11",),
        why="its README has 92.4 % for a VGG; written for Python 3.6",
    ),
    Script(
        "soapisnotfat/pytorch-cifar10",
        "main.py",
        (),
        ("decay.missing", "augmentation.weak", "normalization.missing"),
        why="Adam without weight decay, flips only, pixels in 0..1",
    ),
    Script(
        "kentaroy47/vision-transformers-cifar10",
        "train_cifar10.py",
        ("--net", "vit_tiny", "--nowandb", "--noamp", "--bs", "64"),
        ("data.constant",),
        why="its RandAugment moves images of 32 pixels by up to 100, 46 at the strength that it uses",
    ),
    Script(
        TC,
        f"{SILENT}/stackoverflow-60335387/bug.py",
        (),
        ("loop.zero_grad_missing",),
        ("decay.missing", "augmentation.missing"),
        "gradients are never cleared",
    ),
    Script(TC, f"{SILENT}/stackoverflow-60335387/fixed.py", (), why="its fix"),
    Script(
        TC,
        f"{SILENT}/pytorch-51800/mnist_51800_buggy.py",
        (),
        ("init.spectral_norm", "loop.train_mode_in_evaluation"),
        why="evaluated before spectral_norm has run once",
        data=("../data",),
    ),
    Script(TC, f"{SILENT}/pytorch-51800/mnist_51800_correct.py", (), why="its fix", data=("../data",)),
)
