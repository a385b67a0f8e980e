"""What `fix` prints in the end."""

import io

from trainingdoctor.check import Cost
from trainingdoctor.errors import Reason
from trainingdoctor.remedy.cure import Cure
from trainingdoctor.remedy.patch import Patch
from trainingdoctor.render.cure import print_cure
from trainingdoctor.report import Outcome, Report, Result

SOME = tuple(Result(f"a.healthy{i}", Outcome.HEALTHY, Cost.INSPECT) for i in range(9))


def printed(*results: Result) -> list[str]:
    report = Report("x.py", results)
    out = io.StringIO()
    print_cure(Cure(report, report, Patch({}, {}, ()), ()), "", (), out)
    return out.getvalue().splitlines()


def test_healthy_is_said_of_what_was_examined() -> None:
    late = Result("lr.too_high", Outcome.SKIPPED, Cost.TRAIN, "no time was left", Reason.TIME)
    lines = printed(*SOME, late)
    assert "- not examined: no time was left: lr.too_high" in lines
    assert lines[-1] == "✓ healthy  as it is where it was examined; 1 check could not look"


def test_healthy_is_said_alone_where_all_was_examined() -> None:
    assert printed(*SOME)[-1] == "✓ healthy  as it is"
