"""What loading a suite needs to know of graders and models, without importing either.

`graders.Registry` and `openai_api.Catalog` fulfil these protocols; `pipeline` hands them in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from snapdrift.errors import SnapdriftError
from snapdrift.model import Case, Conversation, Endpoint, MetricSpec, Variant

if TYPE_CHECKING:
    from snapdrift.suites.prompts import Template

Location = tuple[str | int, ...]
ReadFile = Callable[[str], str]
"""Reads a workspace file named in a suite and returns its text; raises `PathError` when it may not or cannot."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake inside one entry of a suite: `location` is relative to the entry (`("extract", "json")`)."""

    location: Location
    found: str
    expected: str


class InvalidEntryError(SnapdriftError):
    """An entry of a suite (a grader, request settings) is wrong: every mistake in it."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{'.'.join(map(str, f.location))}: {f.found}; {f.expected}" for f in findings))


@dataclass(frozen=True, slots=True)
class JudgeAt:
    """A model that a grader has asked, as something to call, and what its settings allow and need."""

    variant: Variant
    allow_retiring: bool = False
    sees_images: bool = False


COMPOSITIONS = ("all", "any", "weighted")
"""The families of graders that are made of other graders."""


class ParsedGrader(Protocol):
    """A grader as the suite sees it."""

    @property
    def name(self) -> str:
        """Unique within the suite; the first part of its metrics' names."""

    @property
    def family(self) -> str:
        """Which kind of grader it is (`exact`, `judge`)."""

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """What it measures. The first is the one that bears the grader's name."""

    @property
    def version(self) -> str:
        """`family/version:settings-hash`: scores under different versions are not compared."""

    @property
    def templates(self) -> Mapping[Location, Template]:
        """Templates in its arguments by where they stand; the loader tries each on every applicable case."""

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags that its `when:` names; the loader checks that some case has them."""

    @property
    def calibratable(self) -> bool:
        """Whether people can label an answer as its judge does."""

    @property
    def judges_at(self) -> Mapping[Location, JudgeAt]:
        """The models that it has asked, by where the entry has their settings, or names the file that does."""

    def tools_named(self, case: Case) -> tuple[str, ...]:
        """The tools that it expects or forbids for a case, as far as that can be told."""

    def applies(self, case: Case) -> bool:
        """Whether the case is graded by it."""

    def resolved(self) -> dict[str, Any]:
        """The entry with defaults applied and files inlined: parsing it again gives an equal grader."""


class GraderRegistry(Protocol):
    """The grader families that a suite can name."""

    def families(self) -> tuple[str, ...]:
        """Their names."""

    def parse(
        self,
        entry: Mapping[str, Any],
        *,
        default_extract: Any,
        read: ReadFile,
        cases: Sequence[Case],
    ) -> ParsedGrader:
        """Makes a grader of an entry under `graders:`; raises `InvalidEntryError`."""

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of one entry, for editors."""


class ModelFacts(Protocol):
    """What a suite check needs to know of models."""

    def check_request(self, model: str, endpoint: Endpoint, request: Mapping[str, Any]) -> tuple[Finding, ...]:
        """Settings that the model or endpoint does not take; locations are relative to `request`."""

    def check_conversation(self, variant: Variant, conversation: Conversation) -> tuple[Finding, ...]:
        """What the model cannot take of a rendered prompt: too much of it, images, a JSON mode that it does not name.

        Locations are relative to the variant's prompt (`("input",)`) or its request (`("text", "format")`). It is
        asked for every case and variant, so it has to be quick.
        """

    def retires_within(self, model: str, days: int) -> str | None:
        """A sentence about the shutdown of the model, or of what an alias stands for, where it is that near."""

    def reasons(self, model: str, endpoint: Endpoint) -> bool:
        """Whether the model is known to reason before it answers."""

    def request_warnings(self, variant: Variant) -> tuple[str, ...]:
        """Sentences about a variant's settings whose results are easily misread."""

    def warnings(self, model: str) -> tuple[str, ...]:
        """Sentences about the model that a user should read: unknown to the catalogue, shut down, soon shut down."""
