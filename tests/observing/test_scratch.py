"""What a script writes lands in the scratch folder, and is found there when it is read again."""

# What scripts call is what is redirected.
# ruff: noqa: PTH101, PTH211, PTH102, PTH204, PTH103, PTH105, PTH107, PTH110, PTH112, PTH123, PTH207, PTH208

import contextlib
import glob
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import torch

from trainingdoctor.observing.scratch import redirected


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The script's folder, with a log, a checkpoint and a folder of an earlier run."""
    folder = tmp_path / "home"
    (folder / "runs").mkdir(parents=True)
    (folder / "log.txt").write_text("before\n")
    (folder / "best.pt").write_text("weights of an earlier run")
    return folder


def test_real_files_stay_as_they_are(home: Path, tmp_path: Path) -> None:
    log, best, new = (str(home / name) for name in ("log.txt", "best.pt", "new.pt"))
    with redirected(tmp_path / "scratch"):
        with open(log, "a") as file:
            file.write("after\n")
        with open(log) as file:
            assert file.read() == "before\nafter\n"
        torch.save({"epoch": 3}, new)
        os.replace(new, best)
        assert torch.load(best)["epoch"] == 3
        assert not os.path.exists(new)
        os.remove(best)
        os.remove(log)
        shutil.rmtree(home)
    assert {p.name: p.read_text() for p in home.iterdir() if p.is_file()} == {
        "log.txt": "before\n",
        "best.pt": "weights of an earlier run",
    }


def test_folders_are_made_and_refused_as_the_script_expects(home: Path, tmp_path: Path) -> None:
    with redirected(tmp_path / "scratch"):
        os.makedirs(home / "runs", exist_ok=True)
        with pytest.raises(FileExistsError):
            os.makedirs(home / "runs")
        os.mkdir(home / "ours")
        with pytest.raises(FileExistsError):
            os.mkdir(home / "ours")
        assert os.path.isdir(home / "ours")
    assert not (home / "ours").exists()


def test_mode_and_times_are_set_where_a_file_lies(home: Path, tmp_path: Path) -> None:
    before = (home / "log.txt").stat()
    with redirected(tmp_path / "scratch"):
        shutil.copyfile(home / "log.txt", home / "new.txt")
        for name in ("new.txt", "log.txt", "runs"):
            os.chmod(home / name, 0o700)
            os.utime(home / name, (0, 0))
        assert os.path.getmtime(home / "new.txt") == os.path.getmtime(home / "log.txt") == 0
        with open(home / "log.txt") as file:
            assert file.read() == "before\n"
    assert not (home / "new.txt").exists()
    assert (home / "log.txt").stat().st_mode == before.st_mode
    assert all((home / name).stat().st_mtime > 0 for name in ("log.txt", "runs"))


def test_a_folder_that_was_made_may_be_written_to(home: Path, tmp_path: Path) -> None:
    made = str(home / "logs" / "version_0")
    with redirected(tmp_path / "scratch"):
        assert not os.access(made, os.W_OK)
        os.makedirs(made)
        assert os.access(made, os.W_OK)
    assert not os.access(made, os.F_OK)


def test_descriptors_and_devices_are_left_alone(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with redirected(tmp_path / "scratch"):
        with open(writing, "w") as file:
            file.write("through the pipe")
        with open(reading) as file:
            assert file.read() == "through the pipe"
        with open(os.devnull, "w") as file:
            file.write("gone")
    assert not list((tmp_path / "scratch").rglob("null"))


def test_the_environment_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.delenv("WANDB_DIR", raising=False)
    with redirected(tmp_path / "scratch"):
        assert os.environ["WANDB_MODE"] == "offline"
        assert Path(os.environ["TMPDIR"]).is_relative_to(tmp_path)
    assert os.environ["WANDB_MODE"] == "online"
    assert "WANDB_DIR" not in os.environ


def test_links_and_copies_with_their_attributes_lie_in_the_folder(home: Path, tmp_path: Path) -> None:
    last, best, copy, mark = (str(home / "runs" / name) for name in ("last.pt", "best.pt", "copy.pt", "latest"))
    with redirected(tmp_path / "scratch"):
        torch.save({"epoch": 3}, last)
        os.link(last, best)
        shutil.copy2(last, copy)
        os.symlink("last.pt", mark)
        assert [torch.load(p)["epoch"] for p in (best, copy, mark)] == [3, 3, 3]
        with pytest.raises(FileExistsError):
            os.symlink("last.pt", mark)
    assert list((home / "runs").iterdir()) == []


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_files_that_are_opened_otherwise_lie_there_too(home: Path, tmp_path: Path) -> None:
    with redirected(tmp_path / "scratch"):
        (home / "touched").touch()
        (home / "touched").touch()
        descriptor = os.open(home / "log.txt", os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, b"after\n")
        os.close(descriptor)
        assert os.read(os.open(home / "log.txt", os.O_RDONLY), 99) == b"before\nafter\n"
        with pytest.raises(FileExistsError):
            os.open(home / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.mkfifo(home / "pipe")
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(home / "net.pt"))
        for _ in range(2):
            with contextlib.closing(sqlite3.connect(home / "runs.db")) as runs:
                runs.execute("create table if not exists epochs (loss)")
                runs.commit()
        with contextlib.closing(sqlite3.connect(":memory:")) as memory:
            memory.execute("create table epochs (loss)")
        assert sorted(os.listdir(home)) == ["best.pt", "log.txt", "net.pt", "pipe", "runs", "runs.db", "touched"]
    assert sorted(os.listdir(home)) == ["best.pt", "log.txt", "runs"]
    assert (home / "log.txt").read_text() == "before\n"


def test_a_folder_that_was_written_to_still_shows_what_is_really_there(home: Path, tmp_path: Path) -> None:
    with redirected(tmp_path / "scratch"):
        for name in ("new.txt", "log.txt"):
            with open(home / name, "w") as file:
                file.write("after\n")
        os.mkdir(home / "ours")
        whole = ["best.pt", "log.txt", "new.txt", "ours", "runs"]
        assert sorted(os.listdir(home)) == sorted(os.listdir(str(home))) == whole
        assert sorted(os.listdir(os.fsencode(home))) == [name.encode() for name in whole]
        assert sorted(p.name for p in home.iterdir()) == whole
        assert sorted(home.glob("*.txt")) == [home / "log.txt", home / "new.txt"]
        assert sorted(home.glob("**/*.txt")) == [home / "log.txt", home / "new.txt"]
        assert glob.glob(f"{home}/*.pt") == [f"{home}/best.pt"]
        with os.scandir(home) as entries:
            assert {e.path: e.stat().st_size for e in entries if e.is_file()}[f"{home}/log.txt"] == len("after\n")
        assert next((sorted(d), sorted(f)) for _, d, f in os.walk(home)) == (["ours", "runs"], whole[:3])
        assert os.listdir(home / "ours") == os.listdir(home / "runs") == []
        with pytest.raises(FileNotFoundError):
            os.listdir(home / "not there")
    assert sorted(os.listdir(home)) == ["best.pt", "log.txt", "runs"]
