"""The matrix of failures against the tests: no row without a test, no test of a failure without a row."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "design" / "faults.md"
HEAD = "| what happens |"


def rows() -> list[list[str]]:
    """The cells of each row of the tables that say what happens."""
    found, inside = [], False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        inside = line.startswith("|") and (inside or line.startswith(HEAD))
        if inside and not line.startswith((HEAD, "| ---")):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def names_in(folder: Path) -> set[str]:
    texts = (path.read_text(encoding="utf-8") for path in folder.rglob("test_*.py"))
    return {name for text in texts for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}


def test_every_row_of_the_matrix_says_all_of_it_and_names_a_test_that_there_is():
    there, before = names_in(REPOSITORY / "tests"), ""
    assert len(rows()) > 20
    for cells in rows():
        assert len(cells) == 6, cells
        assert all(cells), cells
        name = before if cells[-1] == "the same" else cells[-1].strip("`")
        assert name in there, cells
        before = name


def test_every_test_of_a_failure_is_in_the_matrix():
    named = {cells[-1].strip("`") for cells in rows()}
    assert names_in(REPOSITORY / "tests" / "faults") - named == set()
