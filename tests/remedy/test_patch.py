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


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    file = config(tmp_path)
    patch = patched([proposal(rate(file))], {})
    file.unlink()
    with pytest.raises(UserError, match=r"config\.py cannot be written"):
        patch.write()
