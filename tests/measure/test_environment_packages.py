"""What is installed, and what is loaded."""

from pathlib import Path

import torch

from trainingdoctor.measure.environment_packages import _foreign_libraries


def test_the_wheels_libraries_are_its_own_through_a_link_too(tmp_path: Path) -> None:
    site_packages = Path(torch.__file__).parent.parent
    link = tmp_path / "environment"
    link.symlink_to(site_packages)
    assert _foreign_libraries(link) == _foreign_libraries(site_packages.resolve())
