"""What mkdocs does besides rendering: pages from outside `docs/`, links as GitHub takes them, titles of blocks, nav.

Pages are written so that they also read well on GitHub: their links are relative paths in the repository.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # mkdocs loads this file by its path

from docs.fences import with_titles  # noqa: E402

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

OUTSIDE = {
    "SECURITY.md": "project/security.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    **{f"reports/example/{path.name}": f"images/{path.name}" for path in (ROOT / "reports" / "example").glob("*.png")},
}
"""Files of the repository that the site has too, and where."""
_LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(https?:)?//[^>]*>")
"""What a browser would load from elsewhere."""
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_BLOCK = re.compile(r"^```.*?^```[ \t]*$", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts every design page into the nav, and what no entry names under `How-to`: a new page is never lost."""
    nav: list[Any] = list(config.nav or [])
    named = set(re.findall(r"[\w/.-]+\.md", str(nav))) | set(OUTSIDE.values())
    pages = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md"))
    design = [page for page in pages if page.startswith("design/") and page not in named]
    tasks = next(entry["How-to"] for entry in nav if isinstance(entry, dict) and "How-to" in entry)
    tasks += [page for page in pages if page not in named and page not in design]
    config.nav = [*nav, {"Design": design}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the files from outside `docs/`."""
    from mkdocs.structure.files import File

    for source, place in OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """The page with links of the site in the place of links of the repository, and with titles over its blocks."""
    place = page.file.src_uri
    source = next((there for there, put in OUTSIDE.items() if put == place), f"docs/{place}")
    pieces, end = [], 0
    for block in _BLOCK.finditer(markdown):
        pieces += [_relinked(markdown[end : block.start()], source, place), block[0]]
        end = block.end()
    return with_titles("".join([*pieces, _relinked(markdown[end:], source, place)]))


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """The page as it is, where it asks nothing of the network; else the build ends."""
    from mkdocs.exceptions import PluginError

    found = _LOADED.search(output)
    if found:
        raise PluginError(f"{page.file.src_uri}: loads {found[0]} from elsewhere; the site asks nothing of the network")
    return output


def _relinked(text: str, source: str, place: str) -> str:
    return _LINK.sub(lambda found: found[1] + _moved(found[2], source, place) + found[3], text)


def _moved(link: str, source: str, place: str) -> str:
    """A link of a file of the repository as a link of the page that the site has of it."""
    path, mark, anchor = link.partition("#")
    if not path or re.match(r"[a-z]+:", path):
        return link
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if target == "docs/design":
        target = "docs/design/seams.md"
    there = OUTSIDE.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
    if there is None:
        return link  # mkdocs says that it leads nowhere
    return posixpath.relpath(there, posixpath.dirname(place) or ".") + mark + anchor
