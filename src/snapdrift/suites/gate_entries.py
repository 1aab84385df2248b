"""Gates as they are written in a suite file, with the budget and sample that a suite or a gate may set."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag, model_validator

from snapdrift.model import MOST_USD
from snapdrift.suites.shapes import MAPPING, NUMBER, TEXT, Entry, forms

Severity = Literal["fail", "warn"]
Share = Annotated[float, Field(ge=0, le=1)]
Dollars = Annotated[float, Field(gt=0, le=MOST_USD)]


class Budget(Entry):
    """What a run may cost at most, and all runs of the suite on a day (UTC, by one state folder), in dollars."""

    usd: Dollars | None = None
    per_day: Dollars | None = None


class SampleEntry(Entry):
    """A seeded choice of cases; `stratify` names what each stratum has in common (`language`, `expected.queue`)."""

    n: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)] | None = None
    stratify: str | None = None


class CacheAge(Entry):
    """How old a reused answer may be."""

    max_age: str


class Fallback(Entry):
    """What stands in for a baseline whose model is gone."""

    archive: str
    """The archive file that `snapdrift archive` wrote, from the workspace's root."""


class Baseline(Entry):
    """What candidates are compared with; exactly one of variant, ref, run and archive."""

    variant: str | None = None
    """A variant of the suite, asked beside the candidates."""
    ref: str | None = None
    run: str | None = None
    """The id or the file of an earlier run, whose answers are compared with."""
    of: str | None = None
    """Beside `run`: which of its variants; without it the one that it compared the others with."""
    archive: str | None = None
    """An archive file that `snapdrift archive` wrote, from the workspace's root."""
    fallback: Fallback | None = None
    """Beside `variant`: the archive that is compared with once the variant's model is gone."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Baseline:
        if sum(form is not None for form in (self.variant, self.ref, self.run, self.archive)) != 1:
            raise ValueError("expected exactly one of variant, ref, run, archive")
        if self.of is not None and self.run is None:
            raise ValueError("expected `of` beside `run` only: an archive holds one variant")
        if self.fallback is not None and self.variant is None:
            raise ValueError("expected `fallback` beside `variant` only: kept answers do not go away")
        return self


class PairEntry(Entry):
    """One comparison of a gate."""

    from_: str = Field(alias="from")
    to: str
    severity: Severity | None = None


Amount = Annotated[
    Annotated[float, Tag(NUMBER)] | Annotated[str, Tag(TEXT)],
    forms('a share such as 0.03, or text such as "0.2 of 5"'),
]
"""A difference or a level, in score units or on a rubric's own scale."""


class MetricEntry(Entry):
    """What a gate asks of one metric."""

    margin: Amount | None = None
    at_least: Amount | None = None
    max_increase: Annotated[float, Field(ge=0)] | None = None
    severity: Severity | None = None
    on: Literal["passed", "value"] | None = None


class MustPassEntry(Entry):
    """Cases that have to pass, by tag or by id."""

    tag: str | None = None
    tags: list[str] | None = None
    case: str | None = None
    cases: list[str] | None = None

    @model_validator(mode="after")
    def _names_something(self) -> MustPassEntry:
        if not any((self.tag, self.tags, self.case, self.cases)):
            raise ValueError("expected tag, tags, case or cases")
        return self


class GateEntry(Entry):
    """A named policy; what it does not say is what the gate it extends says, else the default."""

    extends: str | None = None
    baseline: Baseline | None = None
    candidates: list[str] | None = None
    compare: Annotated[list[PairEntry], Field(min_length=1)] | None = None
    policy: Literal["catch", "prove"] | None = None
    metrics: dict[str, MetricEntry] | None = None
    max_blind: Annotated[float, Field(gt=0, lt=1)] | None = None
    discordance: Annotated[float, Field(gt=0, le=1)] | None = None
    must_pass: MustPassEntry | None = None
    coverage: Share | None = None
    inconclusive: Literal["fail", "warn", "extend"] | None = None
    alias_moved: Severity | None = None
    confidence: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    sample: (
        Annotated[
            Annotated[Literal["all"], Tag(TEXT)]
            | Annotated[int, Field(ge=1), Tag(NUMBER)]
            | Annotated[SampleEntry, Tag(MAPPING)],
            forms("all, a number of cases, or {n, seed, stratify}"),
        ]
        | None
    ) = None
    repeats: Annotated[int, Field(ge=1, le=1000)] | None = None
    budget: Budget | None = None
    cache: (
        Annotated[
            Annotated[Literal["never"], Tag(TEXT)] | Annotated[CacheAge, Tag(MAPPING)],
            forms("never, or {max_age: 7d}"),
        ]
        | None
    ) = None

    def written(self) -> dict[str, Any]:
        """The keys that the file gives it (models for mappings), by attribute name."""
        return {name: getattr(self, name) for name in self.model_fields_set if getattr(self, name) is not None}
