"""The gallery: whatever a training is made of, the command says what is wrong in a sentence and delivers the rest."""

import json
from pathlib import Path

import jsonschema
import pytest
from tests.gallery import configs, criteria, data_sets, loaders, models, optimizers, surroundings
from tests.gallery.play import Played, play
from tests.gallery.row import Row

import trainingdoctor

SCHEMA = json.loads((Path(trainingdoctor.__file__).parent / "report.schema.json").read_text())
KINDS = (configs, data_sets, loaders, models, optimizers, criteria)
ROWS = [(module.__name__.rpartition(".")[2], row) for module in KINDS for row in module.ROWS if not row.slow]


def held(row: Row, played: Played) -> None:
    """What is expected of every row."""
    assert played.exit == row.exit, played.stderr
    assert any(row.said in sentence for sentence in played.sentences), played.sentences
    assert "Traceback" not in played.stdout + played.stderr
    assert played.crashed == []
    assert played.changed == []
    assert played.judged >= row.judged
    if played.report:
        jsonschema.validate(played.report, SCHEMA)
    if row.exit == 2:
        last = played.stderr.splitlines()[-1]
        assert last.startswith("trainingdoctor: ")
        assert row.said in last
        assert len(last) < 700


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=[f"{kind}: {row.name}" for kind, row in ROWS])
def test_what_is_wrong_is_said_and_the_rest_is_delivered(kind: str, row: Row, tmp_path: Path) -> None:
    folder = tmp_path / "training"
    folder.mkdir()
    held(row, play(row, folder))


@pytest.mark.parametrize("around", [s for s in surroundings.ROWS if not s.row.slow], ids=lambda s: s.row.name)
def test_odd_surroundings_are_a_sentence(around: surroundings.Surrounding, tmp_path: Path) -> None:
    folder = tmp_path / "training"
    folder.mkdir()
    held(around.row, play(around.row, folder, around.around))


def test_names_of_rows_are_their_own() -> None:
    names = [(kind, row.name) for kind, row in ROWS]
    assert len(names) == len(set(names)) > 150
