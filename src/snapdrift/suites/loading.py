"""What one load of a suite carries along: the documents read, and every mistake found in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from snapdrift.errors import DocumentError, Problem
from snapdrift.suites.document import Document, parse_document, parse_json
from snapdrift.suites.registry import Location
from snapdrift.suites.workspace import PathError, Workspace

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class Loading:
    """Collects problems, each once, while the parts of a suite are resolved."""

    def __init__(self, document: Document, workspace: Workspace) -> None:
        self.document = document
        self.workspace = workspace
        self.problems: dict[Problem, None] = {}
        self.muted: AbstractSet[str] = frozenset()
        """Top-level keys whose mistakes are only a consequence of others that are already told."""
        self.dataset = ""
        """The dataset file that the cases are read from, for messages about a case; empty where there is none."""
        self._documents: dict[str, Document | None] = {}

    def row_of(self, case_id: str) -> str:
        """` of FILE:LINE` for a case of the dataset file, which is read again for it; empty where it has no line."""
        if not self.dataset:
            return ""
        from snapdrift.suites.datasets import read_rows

        try:
            rows = read_rows(self.workspace.resolve(self.dataset), self.dataset)
        except (PathError, DocumentError):  # other mistakes in it are told already
            return ""
        found = next((row for row in rows if row.line and row.values.get("id") == case_id), None)
        return f" of {found.place}" if found is not None else ""

    def complain(
        self, location: Location, found: str, expected: str, *, key: bool = False, document: Document | None = None
    ) -> None:
        """Notes a mistake at a location of the suite file, or of another document."""
        if document is None and location and location[0] in self.muted:
            return
        self.problems[(document or self.document).problem(location, found, expected, key=key)] = None

    def add(self, problems: Iterable[Problem]) -> None:
        """Notes mistakes that are already told in full."""
        self.problems.update(dict.fromkeys(problems))

    def read(self, path: str, location: Location, document: Document | None = None) -> Document | None:
        """The YAML or JSON file that is named at `location`; None, with the mistakes noted, when it cannot be read."""
        if path in self._documents:
            return self._documents[path]
        parse = parse_json if path.lower().endswith(".json") else parse_document
        try:
            text = self.workspace.read(path)
        except PathError as error:
            self.complain(location, error.found, error.expected, document=document)
            return None
        try:
            self._documents[path] = parse(text, path)
        except DocumentError as error:
            self.add(error.problems)
            self._documents[path] = None
        return self._documents[path]
