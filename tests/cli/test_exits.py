"""How commands end."""

import signal

import pytest
import typer

from trainingdoctor import UserError
from trainingdoctor.cli.exits import exits
from trainingdoctor.errors import Terminated


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("x.py is not there"), 2, "x.py is not there"),
        (MemoryError(), 2, "memory ended: leave it more, or give smaller batches or --quick"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Terminated(), 143, "terminated"),
    ],
)
def test_an_end_is_a_sentence_and_a_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        raise error

    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(typer.Exit) as ended:
            exits(command)()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.exit_code == code
    assert capsys.readouterr().err == f"trainingdoctor: {said}\n"
