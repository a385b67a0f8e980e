"""From the user's files to a `Training`."""

from trainingdoctor.loading.config import load_config

__all__ = ["load_config"]
