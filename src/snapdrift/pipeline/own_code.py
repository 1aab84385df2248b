"""`--no-code`: a suite that would run code that is not Snapdrift's own is refused, whatever of it that is.

Loading a suite runs nothing of the workspace, so a suite is loaded whole and then looked through: graders that call
functions, variants that are applications, tools that are faked; and the workspace for templates of reports. A grader
family of an installed package is refused while the suite is loaded (`refusal`), since making one imports its package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from snapdrift.errors import DocumentError, Problem, UsageError
from snapdrift.model import Case, Endpoint
from snapdrift.pipeline.suite_graders import graders_of
from snapdrift.suites.document import Document, parse_document
from snapdrift.suites.registry import Location
from snapdrift.suites.tool_results import python_functions

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace

TEMPLATES = ("reports", "templates")
"""Where a workspace's own templates of reports are."""


def refusal(workspace: Workspace, *, allowed: bool) -> str | None:
    """Who refuses code, in words that end a message; None where it may run.

    `allowed` is what the command line says; the workspace's configuration may refuse code too.
    """
    if not allowed:
        return "--no-code refuses it"
    return None if workspace.config.code else "`code = false` in snapdrift.toml refuses it"


def require_templates_allowed(workspace: Workspace, *, allowed: bool) -> None:
    """Raises `UsageError` with each of the workspace's own templates of reports, where there may be none."""
    refused = refusal(workspace, allowed=allowed)
    if refused is not None and (found := list(_templates(workspace, _expected(refused)))):
        raise UsageError("\n".join(map(str, found)))


def require_code_allowed(suite: Suite, cases: Iterable[Case], workspace: Workspace, *, allowed: bool) -> None:
    """Raises `UsageError` with each piece of the workspace's code that the suite would run, where there may be none.

    Templates of reports count as such. `allowed` is what the command line says; `cases` are all that may be asked.
    """
    refused = refusal(workspace, allowed=allowed)
    if refused is None:
        return
    expected = _expected(refused)
    try:
        document = parse_document(suite.source, suite.path)
    except DocumentError:
        document = Document(suite.path, None)
    found = [document.problem(place, what, expected) for place, what in _pieces(suite, cases, document)]
    found += _templates(workspace, expected)
    if found:
        raise UsageError("\n".join(map(str, _distinct(found))))


def _expected(refused: str) -> str:
    return f"expected none of the workspace's own code: {refused}"


def _templates(workspace: Workspace, expected: str) -> Iterator[Problem]:
    folder = workspace.root.joinpath(*TEMPLATES)
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        # Of a link it does not matter what it leads to: a folder that is one is not looked into here, but by Jinja.
        if path.is_file() or path.is_symlink():
            shown = path.relative_to(workspace.root).as_posix()
            yield Problem(shown, 0, 0, "", "a template of reports", expected)


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
