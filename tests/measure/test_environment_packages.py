"""What is installed, and what is loaded."""

from importlib import metadata
from pathlib import Path

import pytest
import torch

from trainingdoctor.measure.environment_packages import _foreign_libraries, read_packages


def test_the_wheels_libraries_are_its_own_through_a_link_too(tmp_path: Path) -> None:
    site_packages = Path(torch.__file__).parent.parent
    link = tmp_path / "environment"
    link.symlink_to(site_packages)
    assert _foreign_libraries(link) == _foreign_libraries(site_packages.resolve())


def test_the_wheels_are_those_that_the_metadata_of_all_packages_names() -> None:
    kinds = ("nvidia-cudnn", "nvidia-cuda-runtime", "nvidia-nccl")
    named = {d.name: d.version for d in metadata.distributions() if (d.name or "").startswith(kinds)}
    assert read_packages({}).nvidia == named


def test_a_wheel_of_another_folder_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nvidia_cudnn_cu99-9.9.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: nvidia-cudnn-cu99\nVersion: 9.9.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert read_packages({}).nvidia["nvidia-cudnn-cu99"] == "9.9.0"
