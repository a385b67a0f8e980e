"""mkdocs: adds what is generated, fills the written pages, and refuses a site that would load anything of the network."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from sitepages.pages import filled, generated, navigation
from trainingdoctor.registry import load_registry

CODES = "codes/index.md"
# What a browser fetches by itself: scripts, style sheets, pictures, fonts. A link that is followed is none of these.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//|<link\b[^>]*\bhref=["']?(?:https?:)?//"""
)

_registry = load_registry()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The codes in the navigation."""
    for entry in config.nav or ():
        for title, target in entry.items():
            if target == CODES:
                entry[title] = navigation(_registry)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The generated pages."""
    for path, text in generated(_registry).items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """The values of a written page."""
    return filled(markdown, page.file.src_uri, _registry) if page.file.generated_by is None else markdown


def on_post_build(config: MkDocsConfig) -> None:
    """Raise PluginError, and fail the build, where a page would fetch something from another place."""
    for page in Path(config.site_dir).rglob("*.html"):
        found = FETCHED.search(page.read_text(encoding="utf-8"))
        if found:
            raise PluginError(f"{page.name} would load something of the network: {found[0]}")
