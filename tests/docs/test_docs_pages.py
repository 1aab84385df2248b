"""Whoever does what the pages of the documentation say, from the first block to the last, gets what they show."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.conftest import Snapdrift
from tests.docs.walkthrough import Reader

from docs.fences import fences

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    DOCS / "index.md",
    DOCS / "tutorial.md",
    *sorted(DOCS.glob("how-to/*.md")),
    *sorted(DOCS.glob("explanation/*.md")),
]


def prepared(start: str, folder: Path) -> None:
    """The folder that a page says it begins in: `empty`, or `bundled`, a copy of this repository's workspace."""
    folder.mkdir()
    if start == "bundled":
        for name in ("evals", "datasets", "graders"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "snapdrift.toml", folder)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_says_can_be_done_and_gives_what_it_shows(page: Path, tmp_path: Path, snapdrift: Snapdrift) -> None:
    text = page.read_text(encoding="utf-8")
    start = re.match(r"<!-- begins in: (empty|bundled) -->\n", text)
    assert start, f"the first line of {page.name} says where it begins"
    prepared(start[1], tmp_path / "shop")
    reader = Reader(tmp_path / "shop", snapdrift)

    for fence in fences(text):
        reader.follow(fence)
