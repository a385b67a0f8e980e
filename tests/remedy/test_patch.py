"""Patches: whole or not at all, as a difference that git takes, and written beside a backup."""

import subprocess
from pathlib import Path

import pytest

from trainingdoctor import UserError, warning
from trainingdoctor.observing.places import CallSite, Place
from trainingdoctor.remedy import Edit, Proposal, SetArgument, Wrap
from trainingdoctor.remedy.patch import BACKUP, patched

TEXT = "import torch\nopt = SGD(p, lr=0.5)\n"


def config(folder: Path, text: str = TEXT) -> Path:
    file = folder / "config.py"
    file.write_bytes(text.encode())
    return file


def proposal(*edits: Edit, code: str = "lr.too_high") -> Proposal:
    return Proposal(warning("it is too high", "lr=0.1"), "Set it", edits)


def rate(file: Path, value: str = "0.1") -> SetArgument:
    return SetArgument(CallSite(Place(file, 2, 6, 2, 20), ("params", "lr")), "lr", value)


def nowhere(file: Path) -> Wrap:
    return Wrap(Place(file, 9, 0, 9, 4), "Compose([{}])")


def test_nothing_is_written_before_it_is_asked_for(tmp_path: Path) -> None:
    file = config(tmp_path)
    patch = patched([proposal(rate(file))], {})
    assert patch.after[file] == TEXT.replace("0.5", "0.1")
    assert file.read_text() == TEXT


def test_a_proposal_of_which_one_edit_has_no_place_is_left_out_whole(tmp_path: Path) -> None:
    file = config(tmp_path)
    patch = patched([proposal(rate(file), nowhere(file))], {})
    assert not patch.after
    assert "any more" in patch.refused[0].reason


def test_the_others_are_applied_still(tmp_path: Path) -> None:
    file = config(tmp_path)
    patch = patched([proposal(nowhere(file)), proposal(rate(file))], {})
    assert len(patch.applied) == len(patch.refused) == 1
    assert "lr=0.1" in patch.after[file]


def test_an_edit_that_two_findings_ask_for_is_made_once(tmp_path: Path) -> None:
    file = config(tmp_path)
    add = SetArgument(CallSite(Place(file, 2, 6, 2, 20), ()), "momentum", "0.9")
    assert patched([proposal(add, add)], {}).after[file].count("momentum") == 1


def test_texts_stand_in_for_files(tmp_path: Path) -> None:
    file = config(tmp_path, "something else\n")
    assert patched([proposal(rate(file))], {file: TEXT}).after[file].endswith("lr=0.1)\n")


def test_the_difference_is_one_that_git_applies(tmp_path: Path) -> None:
    file = config(tmp_path, TEXT.rstrip("\n"))
    difference = patched([proposal(rate(file))], {}).diff(tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply", "-"], input=difference.encode(), cwd=tmp_path, check=True)
    assert file.read_text() == TEXT.rstrip("\n").replace("0.5", "0.1")


def test_files_are_written_beside_a_backup(tmp_path: Path) -> None:
    file = config(tmp_path, TEXT.replace("\n", "\r\n"))
    backups = patched([proposal(rate(file))], {}).write()
    assert file.read_bytes() == TEXT.replace("\n", "\r\n").replace("0.5", "0.1").encode()
    assert backups == [tmp_path / f"config.py{BACKUP}"]
    assert backups[0].read_bytes() == TEXT.replace("\n", "\r\n").encode()


def test_a_file_keeps_its_coding_and_its_mark(tmp_path: Path) -> None:
    file, comment = tmp_path / "config.py", "# gr\xf6\xdfer\n"
    for raw, coding in ((b"# -*- coding: latin-1 -*-\n", "latin-1"), (b"\xef\xbb\xbfimport os\n", "utf-8")):
        file.write_bytes(raw + f"opt = SGD(p, lr=0.5)  {comment}".encode(coding))
        before = file.read_bytes()
        patched([proposal(rate(file))], {}).write()
        assert file.read_bytes() == before.replace(b"0.5", b"0.1")


REASON = "config.py is neither UTF-8 nor in the coding that it declares"


def test_a_coding_that_is_unknown_is_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "config.py"
    for raw in (b"# coding: klingon\nopt = SGD(p, lr=0.5)\n", b"# \xf6\nopt = SGD(p, lr=0.5)\n"):
        file.write_bytes(raw)
        assert patched([proposal(rate(file))], {}).refused[0].reason == REASON


def test_only_a_line_feed_ends_a_line_of_the_difference(tmp_path: Path) -> None:
    file = config(tmp_path, TEXT.replace("import torch", "import torch  # a\x0cb"))
    assert patched([proposal(rate(file))], {}).diff(tmp_path).splitlines(keepends=False)[2] == "@@ -1,2 +1,2 @@"


def test_all_files_are_written_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    for file in (first, second):
        file.write_text(TEXT)
    patch = patched([proposal(rate(first), rate(second))], {})
    asked: list[Path] = []

    def full(path: Path, text: str, encoding: str) -> None:
        asked.append(path)
        if len(asked) == 2:
            raise OSError(28, "No space left on device")
        path.write_text(text, encoding)

    monkeypatch.setattr("trainingdoctor.remedy.patch.write_whole", full)
    with pytest.raises(UserError, match=r"b\.py cannot be written: No space left"):
        patch.write()
    assert asked == [first, second, first]
    assert {f.name: f.read_text() for f in tmp_path.iterdir()} == {"a.py": TEXT, "b.py": TEXT}


def test_a_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    file = config(tmp_path)
    patch = patched([proposal(rate(file))], {})
    file.write_text("# mine\n" + TEXT)
    with pytest.raises(UserError, match=r"config\.py was changed while it was looked at; nothing was written"):
        patch.write()
    assert [f.name for f in tmp_path.iterdir()] == ["config.py"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    file = config(tmp_path)
    patch = patched([proposal(rate(file))], {})
    file.unlink()
    with pytest.raises(UserError, match=r"config\.py cannot be written"):
        patch.write()
