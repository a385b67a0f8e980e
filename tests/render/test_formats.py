"""HTML, Markdown, SARIF and JUnit: whole, and with nothing of the user's code taken for markup."""

import json
from html.parser import HTMLParser
from urllib.parse import unquote
from xml.etree import ElementTree

from tests.render.test_terminal import REPORT, unwell

from trainingdoctor import critical, warning
from trainingdoctor.render.html import render_html
from trainingdoctor.render.junit import render_junit
from trainingdoctor.render.markdown import render_markdown
from trainingdoctor.render.pictures import Picture, pictures
from trainingdoctor.render.sarif import render_sarif
from trainingdoctor.report import Report

HOSTILE = "<script>alert(1)</script> `code` [red]x[/] \x1b[31m & \"'"
NASTY = Report(
    f"{HOSTILE}.py",
    (
        unwell("lr.too_high", warning(HOSTILE, f"```\n{HOSTILE}", where=(HOSTILE, "train.py:34"))),
        unwell("a.b", critical("x", "y")),
    ),
    training={"model": {"class": HOSTILE, "parameters": 1000}},
)
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Checked(HTMLParser):
    """Elements in their order, all of them closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


def test_html_has_root_causes_symptoms_and_what_was_not_examined() -> None:
    page = Checked(render_html(REPORT))
    assert "lr.too_high" in page.text
    assert "explains loss.diverges" in " ".join(page.text.split())
    assert "needs epochs: add `epochs = 3`: a.missing, b.missing" in page.text
    assert "a.crashed crashed" in page.text
    assert len(page.all("article")) == 2
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1


def test_html_loads_nothing_and_runs_nothing() -> None:
    text = render_html(NASTY, [Picture(HOSTILE, HOSTILE, b"png")])
    page = Checked(text)
    assert not page.all("script")
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in page.all("img"))
    assert page.all("img")[0]["alt"] == HOSTILE
    assert "http://" not in text
    assert "https://" not in text
    assert "alert(1)" in page.text


def test_html_of_a_healthy_training_says_that_nothing_was_found() -> None:
    assert "nothing found" in Checked(render_html(Report("x.py", ()))).text


def test_pictures_of_what_could_not_be_measured_are_left_out() -> None:
    assert pictures({"schedule_trace": ValueError("no"), "rate_trials": None}) == ()


def test_markdown_has_no_markup_of_the_users() -> None:
    text = render_markdown(NASTY)
    assert "<script>" not in text.replace("```", "").split("### `lr.too_high`")[0]
    assert "\\<script\\>alert(1)\\</script\\>" in text
    # The remedy holds a fence of its own: the one around it is longer.
    assert text.count("````python") == 1
    assert "Nothing found" in render_markdown(Report("x.py", ()))
    assert "- explains `loss.diverges`" in render_markdown(REPORT)


def test_sarif_is_at_the_line_where_one_is_known() -> None:
    run = json.loads(render_sarif(NASTY))["runs"][0]
    by_rule = {r["ruleId"]: r for r in run["results"]}
    place = by_rule["lr.too_high"]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("train.py", 34)
    elsewhere = by_rule["a.b"]["locations"][0]["physicalLocation"]
    assert unquote(elsewhere["artifactLocation"]["uri"]) == NASTY.target
    assert {r["ruleId"]: r["level"] for r in run["results"]} == {"lr.too_high": "warning", "a.b": "error"}
    assert all(run["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])


def test_junit_counts_what_it_holds() -> None:
    suite = ElementTree.fromstring(render_junit(REPORT))
    cases = suite.findall("testcase")
    assert int(suite.get("tests", "0")) == len(cases) == len(REPORT.results)
    for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(kind, "-1")) == sum(case.find(tag) is not None for case in cases)
    assert ElementTree.fromstring(render_junit(NASTY)) is not None
