"""The pages that are made of the code are what the code makes, and no link between pages leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.walkthrough import Reader, commands, is_shown

from docs.fences import fences, with_titles
from docs.generate import PAGES, made
from docs.tables import anchor

ROOT = Path(__file__).parents[2]
TEXTS = {
    path: path.read_text(encoding="utf-8")
    for path in [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_made_of_the_code_is_current(name: str) -> None:
    current = (ROOT / "docs" / name).read_text(encoding="utf-8") == made(name)

    assert current, "run `python docs/generate.py`"


def prose(markdown: str) -> str:
    """A page without its blocks and its code, in which nothing is a link."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL))


def anchors(markdown: str) -> set[str]:
    """What the headings of a page are linked by."""
    text = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return {anchor(re.sub(r"[`*]", "", heading)) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def leads_nowhere(page: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return True
    return bool(heading) and heading not in anchors(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_to_another_leads_to_a_heading_that_is_there(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(TEXTS[page])) if not re.match(r"[a-z]+:", link)]

    assert [link for link in links if leads_nowhere(page, link)] == []


def test_a_block_is_told_by_the_words_after_its_language() -> None:
    page = "```yaml append evals/a.yaml\na: 1\n```\n\n```console exit=1 key\n$ snapdrift run \\\n    x\nred\n$ b\n```\n"
    file, console = fences(page)

    assert (file.file, file.exit_code, console.exit_code, console.line) == ("evals/a.yaml", 0, 1, 5)
    assert [(command.line, command.shown) for command in commands(console.text)] == [
        ("snapdrift run x", ("red",)),
        ("b", ()),
    ]
    assert with_titles(page).splitlines()[0] == '```yaml title="evals/a.yaml, at its end"'
    assert "needs an API key" in with_titles(page)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (("passed in 1.2 s", "..."), "passed in 7 s\nmore\nand more", True),
        (("run: 20261127-031404-ceb1",), "run:  20270301-000000-0a1b\n", True),
        (("a", "...", "d"), "a\nb\nc\nd", True),
        (("97.0% → ... ● no worse",), "97.0% → 96.0%\n   ● no worse", True),
        (("a ...", "..."), "a b", True),
        (("passed",), "passed\nbut", False),
        (("97.0%",), "96.0%", False),
    ],
)
def test_what_is_shown_is_compared_with_what_is_printed_but_for_what_varies(shown, printed, same) -> None:
    assert is_shown(shown, printed) is same


@pytest.mark.parametrize(
    "page",
    [
        "```console\n$ snapdrift --version\nsnapdrift 0\n```\n",
        "```console exit=1\n$ snapdrift --version\n```\n",
        "```console\n$ snapdrift check nowhere.yaml\n```\n",
        "```console shown\n$ snapdrift check --no-such-option\n```\n",
        "```console exti=1\n$ snapdrift --version\n```\n",
        "```sh\nfalse\ntrue\n```\n",
        "```python\nraise SystemExit(1)\n```\n",
        "```yaml excerpt a.yaml\nb: 2\n```\n",
        "```yaml\na: 1\n```\n",
    ],
)
def test_a_page_that_shows_what_is_not_so_is_not_followed_to_its_end(page, tmp_path, snapdrift) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "a.yaml").write_text("a: 1\n")
    reader = Reader(tmp_path / "shop", snapdrift)

    with pytest.raises(Exception, match=r"line 1|No such option"):
        reader.follow(fences(page)[0])
