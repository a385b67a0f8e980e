"""The HTML report in a real browser: nothing is loaded, all is seen, and a keyboard or a screen reader gets through.

Needs Chromium on this machine and `pip install '.[browser]'`; skipped without, so that the other tests need neither.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.render.test_formats import NASTY
from tests.render.test_pictures import TRIALS, moments
from tests.render.test_terminal import REPORT
from tests.render.test_verification_html import verification

from trainingdoctor.baseline import Baseline, Entry
from trainingdoctor.measure.recipe_gap import Difference, RecipeGap
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.render.html import render_html
from trainingdoctor.render.pictures import pictures
from trainingdoctor.render.verification_html import render_verification
from trainingdoctor.report import Report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is installed")

SHOWN = pictures(
    {
        "rate_trials": TRIALS,
        "loop_trace": LoopTrace(moments=moments()),
        "recipe_gap": RecipeGap(
            "He 2015", "s", "", "ResNet", "CIFAR10", 93.4, "y", (Difference("momentum", "none", "0.9", 1.0, "x"),)
        ),
    }
)
FULL = Baseline(Path("known.json"), (Entry("x", "a.healthy"), Entry("x", "data.subset"))).compared(
    replace(REPORT, training={"model": {"class": "Net", "parameters": 1000}, "epochs": 5}), "x"
)


@dataclass(frozen=True)
class Opened:
    """A page, what its console said, and what it asked for."""

    page: Any
    said: list[str]
    asked: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as engine:
        # Without a sandbox: containers, and root, have none. The pages are our own.
        started = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def opened(browser: Any, folder: Path, report: Report | str, width: int = 1100, scheme: str = "light") -> Opened:
    file = folder / "report.html"
    file.write_text(report if isinstance(report, str) else render_html(report, SHOWN), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    found = Opened(page, [], [])
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda request: found.asked.append(request.url.partition(":")[0]))
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return found


@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (1100, "dark"), (360, "light")])
@pytest.mark.parametrize("report", [FULL, NASTY], ids=["full", "hostile"])
def test_the_page_is_whole_quiet_and_accessible(
    browser: Any, tmp_path: Path, report: Report, width: int, scheme: str
) -> None:
    found = opened(browser, tmp_path, report, width, scheme)
    assert found.said == []
    assert set(found.asked) <= {"file", "data"}
    assert found.asked.count("file") == 1
    seen = found.page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 100 && i.alt.length > 20)")
    assert seen == [True, True]
    assert found.page.locator("figure table").count() == 1
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    assert grave(found.page) == []
    found.page.close()


def grave(page: Any) -> list[tuple[str, str]]:
    """Serious and critical violations, with the first element that shows each."""
    violations = axe.Axe().run(page).response["violations"]
    return [(v["id"], v["nodes"][0]["html"]) for v in violations if v["impact"] in ("serious", "critical")]


def test_trainings_before_and_after_are_a_page_as_good(browser: Any, tmp_path: Path) -> None:
    found = opened(browser, tmp_path, render_verification(verification(), None, "my_config.py"), 360, "dark")
    assert found.said == []
    assert set(found.asked) <= {"file", "data"}
    assert grave(found.page) == []
    assert found.page.evaluate("document.documentElement.scrollWidth") <= 360
    found.page.close()


def test_headings_are_in_order_and_every_section_is_reached(browser: Any, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, FULL).page
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    broken = page.evaluate(
        "[...document.querySelectorAll('nav a')].filter(a => !document.querySelector(a.hash)).length"
    )
    assert broken == 0
    assert page.locator("nav a").count() == page.locator("main h2").count()
    page.close()


def test_the_keyboard_shows_where_it_is(browser: Any, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, FULL).page
    page.keyboard.press("Tab")
    focused = page.evaluate("[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]")
    assert focused == ["A", "solid"]
    page.close()


def test_a_dark_page_is_dark(browser: Any, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, FULL, scheme="dark").page
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")) < 64
    page.close()
