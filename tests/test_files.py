"""Files are written wholly or not at all."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trainingdoctor.files import write_whole


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file can be longer than this many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_file_whole_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text("old")
    for name in ("config.py", "new.json"):
        with disk_of(4096), pytest.raises(OSError, match="File too large"):
            write_whole(tmp_path / name, "x" * 10_000)
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("config.py", "old")]


def test_a_file_keeps_its_permissions_its_line_ends_and_its_link(tmp_path: Path) -> None:
    file, link = tmp_path / "train.py", tmp_path / "link.py"
    file.touch(0o750)
    link.symlink_to(file)
    write_whole(link, "a = 'ä'\r\n")
    assert link.is_symlink()
    assert file.read_bytes() == "a = 'ä'\r\n".encode()
    assert file.stat().st_mode & 0o777 == 0o750


def test_where_no_file_can_be_made_the_one_that_is_there_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "report.json"
    file.write_text("old")
    before = file.stat().st_ino
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    write_whole(file, "new")
    assert (file.read_text(), file.stat().st_ino) == ("new", before)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_device_is_written_in_place() -> None:
    write_whole(Path(os.devnull), "gone")
    assert not Path(os.devnull).is_file()
    with pytest.raises(OSError, match="No space left"):
        write_whole(Path("/dev/full"), "x")
