"""`--no-code`: a suite that would run code of its workspace is refused, whatever of it that is.

Loading a suite runs nothing, so a suite is loaded whole and then looked through: graders that call functions, variants
that are applications, tools that are faked. Families of installed packages are not the workspace's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from snapdrift.errors import DocumentError, Problem, UsageError
from snapdrift.model import Case, Endpoint
from snapdrift.pipeline.grading import graders_of
from snapdrift.suites.document import Document, parse_document
from snapdrift.suites.registry import Location
from snapdrift.suites.tool_results import python_functions

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace

_EXPECTED = "expected none of the workspace's own code: --no-code refuses it"
_EXPECTED_BY_CONFIG = "expected none of the workspace's own code: `code = false` in snapdrift.toml refuses it"


def require_code_allowed(suite: Suite, cases: Iterable[Case], workspace: Workspace, *, allowed: bool) -> None:
    """Raises `UsageError` with each piece of the workspace's code that the suite would run, where there may be none.

    `allowed` is what the command line says; the workspace's configuration may refuse code too. `cases` are all that may
    be asked.
    """
    if allowed and workspace.config.code:
        return
    expected = _EXPECTED_BY_CONFIG if allowed else _EXPECTED
    try:
        document = parse_document(suite.source, suite.path)
    except DocumentError:
        document = Document(suite.path, None)
    found = [document.problem(place, what, expected) for place, what in _pieces(suite, cases, document)]
    if found:
        raise UsageError("\n".join(map(str, _distinct(found))))


def _pieces(suite: Suite, cases: Iterable[Case], document: Document) -> Iterator[tuple[Location, str]]:
    """Where the suite names code, and what it is."""
    for name, variant in suite.variants.items():
        if variant.endpoint is Endpoint.PYTHON:
            yield _place_of_variant(name, document), f"the application {variant.target} (variant {name})"
    for number, grader in enumerate(graders_of(suite)):
        for location, file in grader.code.items():
            yield ("graders", number, *location), f"the Python grader {file.target} ({grader.name})"
    told = set()
    for case in cases:
        for fake in python_functions(case.tool_results):
            if fake not in told:
                told.add(fake)
                yield _place_of_cases(document), f"the Python fake {fake} (tool_results of case {case.id})"


def _place_of_variant(name: str, document: Document) -> Location:
    for place in (("variants", name, "python"), ("matrix", "model", name.rpartition("/")[2], "python")):
        if place in document.values:
            return place
    return ("variants", name)


def _place_of_cases(document: Document) -> Location:
    return ("dataset",) if ("dataset",) in document.values else ("cases",)


def _distinct(problems: Iterable[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
