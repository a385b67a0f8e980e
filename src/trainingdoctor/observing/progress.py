"""The progress bars of notebooks, where no page shows them."""

from __future__ import annotations

from contextlib import ExitStack, suppress

from trainingdoctor.observing.replacing import replaced

# What `tqdm.notebook` calls them, by what they are called in plain tqdm.
BARS = {"tqdm": ("tqdm", "tqdm_notebook"), "trange": ("trange", "tnrange")}


def bars_of_text(stack: ExitStack) -> None:
    """Until the stack closes, `tqdm.notebook` gives plain bars: its own raise where ipywidgets is not installed."""
    with suppress(ImportError):
        from tqdm import notebook, std

        for plain, names in BARS.items():
            for name in names:
                replaced(stack, notebook, name, getattr(std, plain))
