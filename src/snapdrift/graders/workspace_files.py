"""Files that a grader's arguments name, read through what the suite loader hands in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationInfo

from snapdrift.errors import DocumentError, SnapdriftError
from snapdrift.suites.document import Document, parse_document, parse_json
from snapdrift.suites.registry import Finding, ReadFile

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What validating an entry may use: the reader of workspace files, the documents read so far by path, families.

    `families` are those of the registry by name: what an entry inside the entry may be of.
    """

    read: ReadFile
    documents: dict[str, Document] = field(default_factory=dict)
    families: Mapping[str, type[Grader]] = field(default_factory=dict)
    parse_part: Callable[[Mapping[str, Any]], Any] | None = None


class FoundError(ValueError):
    """A mistake that is worded whole: what was found, and what was expected."""

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected or "expected a file in the workspace"
        super().__init__(f"{self.found}; {self.expected}")


class PartsError(ValueError):
    """What is wrong with graders inside an entry; locations are relative to the argument that holds them."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{finding.found}; {finding.expected}" for finding in findings))


def text_named(path: str, info: ValidationInfo) -> str:
    """The text of a file of the workspace. Raises `ValueError` with what was expected instead."""
    context = info.context
    if not isinstance(context, ParseContext):
        raise ValueError(f"expected the content itself: there is no workspace to read {path!r} from")  # noqa: TRY004  pydantic catches ValueError
    try:
        return context.read(path)
    except SnapdriftError as error:
        raise FoundError(getattr(error, "found", str(error)), getattr(error, "expected", "")) from None


def document_named(path: str, info: ValidationInfo) -> Any:
    """The content of a YAML or JSON file of the workspace. Raises `ValueError` with what was expected instead."""
    text = text_named(path, info)
    try:
        document = parse_json(text, path) if path.lower().endswith(".json") else parse_document(text, path)
    except DocumentError as error:
        raise FoundError(str(error), f"expected {path} to be readable") from None
    if isinstance(info.context, ParseContext):
        info.context.documents[path] = document
    return document.value
