"""Gradient clipping, as it is seen."""

from __future__ import annotations

from statistics import median_high

from trainingdoctor.observing.seen import ClipSeen


class Clipping:
    """scaled: whether gradients are multiplied by a GradScaler's scale now."""

    def __init__(self) -> None:
        self.scaled = False
        self.calls: list[tuple[float, float, bool, str]] = []

    def on_clip(self, limit: float, norm: float, where: str) -> None:
        """Gradients of this norm were clipped to `limit`."""
        self.calls.append((limit, norm, self.scaled, where))

    def seen(self) -> ClipSeen | None:
        """All of it as one record; None where there was none."""
        if not self.calls:
            return None
        norms = [norm for _, norm, _, _ in self.calls]
        limit, _, scaled, where = self.calls[-1]
        return ClipSeen(limit, median_high(norms), scaled, where)
