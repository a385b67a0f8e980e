"""Kept runs: an index and a folder for each, whole at any moment."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainingdoctor import UserError
from trainingdoctor.runs import FOLDER, Runs, digest, sources_of


def runs_in(folder: Path) -> Runs:
    return Runs.beside(folder / "config.py")


def test_runs_are_listed_in_their_order_with_their_files(tmp_path: Path) -> None:
    runs = runs_in(tmp_path)
    first = runs.add(
        "diagnose", Path("config.py"), "unwell", ("lr.too_high",), None, {"report.json": '{"findings": []}'}
    )
    runs.add("verify", Path("config.py"), "healthy", (), 91.25, {"verify.json": "{}"})
    assert [(r.number, r.kind, r.root_causes, r.accuracy) for r in runs.all()] == [
        (1, "diagnose", ("lr.too_high",), None),
        (2, "verify", (), 91.25),
    ]
    assert runs.all()[0] == first
    assert (runs.files_of(1) / "report.json").is_file()
    assert runs.report("last") == {"findings": [], "accuracy": None}


def test_nothing_is_made_where_nothing_was_kept(tmp_path: Path) -> None:
    runs = runs_in(tmp_path)
    assert runs.all() == []
    assert runs.kept("key") is None
    assert not (tmp_path / FOLDER).exists()


def test_a_run_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    runs_in(tmp_path).add("verify", Path("config.py"), "measured", (), 50.0, {})
    for name in ("7", "last", "x"):
        with pytest.raises(UserError, match="there is no kept run"):
            runs_in(tmp_path).report(name)


def test_values_are_kept_by_key(tmp_path: Path) -> None:
    runs = runs_in(tmp_path)
    runs.keep(digest("a", 1), {"accuracy": 50.0})
    assert runs.kept(digest("a", 1)) == {"accuracy": 50.0}
    assert runs.kept(digest("a", 2)) is None


def test_the_digest_follows_the_sources_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text("x = 1\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "net.py").write_text("y = 1\n")
    before = sources_of(tmp_path / "config.py")
    assert set(before) == {"config.py", "sub/net.py"}
    (tmp_path / "sub" / "net.py").write_text("y = 2\n")
    assert sources_of(tmp_path / "config.py") != before


def test_a_folder_that_is_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("")
    with pytest.raises(UserError, match="cannot be used to keep runs"):
        runs_in(tmp_path).keep("a", 1)


def test_an_index_is_whole_after_its_writer_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom trainingdoctor.runs import Runs\n"
        "runs = Runs.beside(Path(sys.argv[1]) / 'config.py')\n"
        "for i in range(10**6):\n    runs.add('verify', Path('c.py'), 'measured', (), float(i), {'verify.json': '{}'})\n"
        "    runs.keep(str(i), i)\n    print(i, flush=True)\n"
    )
    for pause in (0.02, 0.05, 0.11):
        writer = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(pause)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        runs = runs_in(tmp_path)
        kept = runs.all()
        assert kept
        assert all(json.loads((runs.files_of(r.number) / "verify.json").read_text()) == {} for r in kept)
        with sqlite3.connect(tmp_path / FOLDER / "index.sqlite") as index:
            assert index.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        index.close()


def test_two_at_once_keep_all_their_runs(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom trainingdoctor.runs import Runs\n"
        "runs = Runs.beside(Path(sys.argv[1]) / 'config.py')\n"
        "for i in range(12):\n    runs.add('diagnose', Path('c.py'), 'healthy', (), None, {'report.json': sys.argv[2]})\n"
        "    runs.keep(sys.argv[2] + str(i), i)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), who]) for who in ("1", "2")]
    assert [writer.wait() for writer in writers] == [0, 0]
    runs = runs_in(tmp_path)
    kept = runs.all()
    assert [r.number for r in kept] == list(range(1, 25))
    whose = [(runs.files_of(r.number) / "report.json").read_text() for r in kept]
    assert (whose.count("1"), whose.count("2")) == (12, 12)
    assert [runs.kept(f"{who}{i}") for who in "12" for i in range(12)] == [*range(12), *range(12)]
