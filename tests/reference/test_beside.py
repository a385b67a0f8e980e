"""Runs side by side on one device."""

from trainingdoctor.reference import RECIPES, EpochMetrics, Settings, generated_images
from trainingdoctor.reference.beside import side_by_side
from trainingdoctor.reference.train import Run


def test_runs_side_by_side_end_as_they_would_alone() -> None:
    images = generated_images(48, 16)

    def made(seed: int) -> Run:
        return Run(Settings(RECIPES["fast"], 8, 2, 16, seed, "cpu", "float32"), images)

    seen: list[tuple[int, int]] = []

    def note(run: Run, metrics: EpochMetrics) -> None:
        seen.append((run.settings.seed, metrics.epoch))

    runs = [made(0), made(1)]
    walls = side_by_side(runs, print, note)
    assert sorted(seen) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert min(walls) > 0
    for seed, run in enumerate(runs):
        alone = made(seed)
        assert [m.loss for m in run.metrics] == [m.loss for m in alone.epochs(print)]
