"""From the user's files to a `Training`."""

from trainingdoctor.loading.config import in_folder_of, load_config

__all__ = ["in_folder_of", "load_config"]
