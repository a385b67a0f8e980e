"""What the site is made of, without building it: every code has its page, every written page its values."""

import json
import re
import tomllib
from contextlib import nullcontext
from pathlib import Path
from posixpath import dirname, join, normpath

import pytest
import yaml

import trainingdoctor_checks
from sitepages import files
from sitepages.bench import examples
from sitepages.commands import commands_page
from sitepages.pages import filled, generated, navigation
from sitepages.severities import severities
from sitepages.text import prose, sentence
from trainingdoctor import Check
from trainingdoctor.cli import app
from trainingdoctor.costs import measured_costs
from trainingdoctor.manual import manual
from trainingdoctor.registry import Registry, load_registry
from trainingdoctor.remedy.fix import Fix, load_fixes
from trainingdoctor.settings import KEYS, parse_settings

DOCS = files.ROOT / "docs"
WRITTEN = sorted(p.name for p in DOCS.glob("*.md"))
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


@pytest.fixture(scope="module")
def pages(registry: Registry) -> dict[str, str]:
    """All pages, the written ones with their values."""
    written = {name: filled((DOCS / name).read_text(encoding="utf-8"), name, registry) for name in WRITTEN}
    return {**written, **generated(registry)}


def test_every_code_has_its_page_in_the_index_and_in_the_navigation(pages: dict[str, str], registry: Registry) -> None:
    fixes = load_fixes()
    _, *areas = navigation(registry)
    in_navigation = [path for area in areas if isinstance(area, dict) for paths in area.values() for path in paths]
    assert sorted(in_navigation) == sorted(f"codes/{code}.md" for code in registry.checks)
    for code, check in registry.checks.items():
        page = pages[f"codes/{code}.md"]
        assert f"]({code}.md)" in pages["codes/index.md"]
        for heading in ("What it does", "Why it costs accuracy", "Use instead", "Thresholds"):
            assert f"\n## {heading}\n" in page, f"{code}: {heading}"
        assert all(f"| `{name}` | `{t.default!r}` |" in page for name, t in check.thresholds.items())
        assert ("can rewrite it" in page) == (code in fixes)


def test_a_page_tells_the_measured_cost_or_that_there_is_none(pages: dict[str, str], registry: Registry) -> None:
    for code, check in registry.checks.items():
        page, cost = pages[f"codes/{code}.md"], measured_costs().get(code)
        assert "**Measured" in page, code
        assert cost is None or cost.conditions in page, code
        nothing = "no measurement yet" in " ".join(manual(check).split())
        assert ("no measurement yet" in page) == nothing, code


def test_a_page_shows_what_the_bench_recorded(pages: dict[str, str]) -> None:
    message = examples()["augmentation.missing"].message
    assert f"> {message}" in pages["codes/augmentation.missing.md"]


def test_links_lead_to_pages(pages: dict[str, str]) -> None:
    missing = {
        f"{path} -> {match[1]}"
        for path, text in pages.items()
        for match in LINK.finditer(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
        if match[1] and normpath(join(dirname(path), match[1])) not in {*pages, "report.png"}
    }
    assert not missing


def test_the_navigation_names_every_page(pages: dict[str, str]) -> None:
    def paths(node: object) -> list[str]:
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        return [node] if isinstance(node, str) else [path for child in children for path in paths(child)]

    nav = yaml.safe_load(files.read("mkdocs.yml"))["nav"]
    assert sorted(paths(nav)) == sorted(p for p in pages if not p.startswith("codes/") or p == "codes/index.md")


def test_every_command_and_every_setting_is_told(pages: dict[str, str]) -> None:
    for command in app.registered_commands:
        assert f"\n## {command.name}\n" in commands_page()
    assert all(f"| `{key}` |" in pages["settings.md"] for key in KEYS)


def test_every_key_of_the_report_is_told(pages: dict[str, str]) -> None:
    schema = json.loads(files.read("src/trainingdoctor/report.schema.json"))
    finding = schema["properties"]["findings"]["items"]
    assert all(f"| `{key}` |" in pages["json.md"] for key in (*schema["properties"], *finding["properties"]))


@pytest.mark.parametrize("page", ["write-a-fix.md", "json.md"])
def test_examples_of_written_pages_run(page: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        names: dict[str, object] = {"__name__": page}
        exec(compile(block, page, "exec"), names)
        assert all(isinstance(fix, Fix) for fix in names.get("FIXES", ()))  # type: ignore[attr-defined]


def test_settings_of_written_pages_are_valid(registry: Registry) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", (DOCS / "settings.md").read_text(encoding="utf-8"), re.M | re.S)
    table = tomllib.loads(block)["tool"]["trainingdoctor"]
    assert set(table) <= set(KEYS)
    assert parse_settings(table, registry, "settings.md").time_limit == 120


def test_a_value_that_is_gone_is_an_error(registry: Registry) -> None:
    with pytest.raises(KeyError):
        filled('{{ figure("faults", "no such figure") }}', "index.md", registry)
    with pytest.raises(KeyError):
        filled('{{ readme("No such heading") }}', "index.md", registry)


def test_severities_are_those_of_the_source() -> None:
    checks = {c.code: c for c in trainingdoctor_checks.CHECKS if isinstance(c, Check)}
    assert severities(checks["lr.too_high"]) == ["critical", "warning"]
    assert severities(checks["env.python"]) == []


def test_docstrings_become_markdown() -> None:
    assert prose("a * b_c <x> `d*e`", ()) == r"a \* b\_c &lt;x> `d*e`"
    assert prose("see lr.too_high, not torch.optim", ["lr.too_high"], "{}.md".format) == (
        "see [`lr.too_high`](lr.too_high.md), not torch.optim"
    )
    assert sentence("reads it") == "Reads it"
    assert sentence("momentum=0.1") == "momentum=0.1"


def test_links_into_the_repository_are_turned() -> None:
    text = "[a](benchmarks/results/faults.md) [b](examples/plugin) [c](https://example.org)"
    assert (
        files.linked(text, "measured/x.md")
        == "[a](faults.md) b (`examples/plugin` in the repository) [c](https://example.org)"
    )


def test_no_page_names_a_folder_of_the_machine(pages: dict[str, str]) -> None:
    assert not [path for path, text in pages.items() if str(Path.home()) in text or str(files.ROOT) in text]


@pytest.mark.parametrize(
    ("page", "refused"),
    [
        ('<script src="https://example.org/a.js"></script>', True),
        ('<link rel="stylesheet" href="//example.org/a.css">', True),
        ('<a href="https://example.org">a link</a> <img src="report.png">', False),
    ],
)
def test_a_page_that_would_load_something_of_the_network_fails_the_build(
    tmp_path: Path, page: str, refused: bool
) -> None:
    exceptions = pytest.importorskip("mkdocs.exceptions", reason="needs the extra docs")
    from mkdocs.config.defaults import MkDocsConfig

    import hooks

    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    config = MkDocsConfig()
    config.site_dir = str(tmp_path)
    with pytest.raises(exceptions.PluginError) if refused else nullcontext():
        hooks.on_post_build(config)
