"""The picture of a run: accuracy by epoch."""

from collections.abc import Sequence
from pathlib import Path

from trainingdoctor.reference.train import EpochMetrics


def draw_curve(metrics: Sequence[EpochMetrics], target: float, title: str, path: Path) -> None:
    """Train and test accuracy over epochs, the target as a line, as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    epochs = [m.epoch for m in metrics]
    axes.plot(epochs, [m.train_accuracy for m in metrics], label="train (augmented)", color="tab:gray")
    axes.plot(epochs, [m.test_accuracy for m in metrics], label="test", color="tab:blue")
    axes.axhline(target, linestyle="--", linewidth=1, color="tab:green", label=f"target {target:g} %")
    axes.set(xlabel="epoch", ylabel="accuracy (%)", title=title)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
