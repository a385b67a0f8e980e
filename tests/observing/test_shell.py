"""Notebooks that were written in Colab."""

import sys

from trainingdoctor.observing.shell import without_colab

CELL = """
import google.colab
from google.colab import drive, files
from google.colab.patches import cv2_imshow
drive.mount("/content/drive")
files.upload()
"""


def test_what_they_import_of_it_takes_every_call() -> None:
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "google"}
    try:
        without_colab()
        exec(CELL, {})
    finally:
        for name in [n for n in sys.modules if n == "google" or n.startswith("google.colab")]:
            del sys.modules[name]
        sys.modules.update(before)
