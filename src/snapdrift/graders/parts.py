"""The parts of a composition: read from its entry, and what each said of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_serializer,
)

from snapdrift.graders.arguments import not_empty
from snapdrift.graders.base import Grader
from snapdrift.graders.marks import Mark
from snapdrift.graders.values import quoted
from snapdrift.graders.workspace_files import ParseContext, PartsError
from snapdrift.model import Reason, Score
from snapdrift.suites.registry import Finding, InvalidEntryError, Location

_JUDGED = (Reason.PASSED, Reason.WRONG, Reason.SCHEMA_VIOLATION)
_G = TypeVar("_G", bound=Grader)
_ENTRY = {"type": "object", "$comment": "GraderEntry"}
"""Stands for the schema of an entry, which the suite's schema has."""


def _parsed(entries: Any, info: ValidationInfo) -> Any:
    """The graders of a list of entries. Raises `PartsError` with everything that is wrong with them."""
    if not isinstance(entries, list | tuple):
        raise ValueError("a list of graders")  # noqa: TRY004  pydantic catches ValueError
    return _graders([((index,), entry) for index, entry in enumerate(entries)], info)


def parsed_weighted(entries: Any, info: ValidationInfo) -> Any:
    """As `_parsed`, of `{weight, grader}`."""
    if not isinstance(entries, list | tuple):
        raise ValueError("a list of {weight: NUMBER, grader: {...}}")  # noqa: TRY004  pydantic catches ValueError
    findings = [
        Finding((index,), quoted(entry), "expected {weight: NUMBER, grader: {...}}")
        for index, entry in enumerate(entries)
        if not isinstance(entry, WeightedPart) and not (isinstance(entry, Mapping) and "grader" in entry)
    ]
    if findings:
        raise PartsError(findings)
    inner = [entry.grader if isinstance(entry, WeightedPart) else entry["grader"] for entry in entries]
    graders = _graders([((index, "grader"), entry) for index, entry in enumerate(inner)], info)
    return [
        {**(dict(entry) if isinstance(entry, Mapping) else {"weight": entry.weight}), "grader": grader}
        for entry, grader in zip(entries, graders, strict=True)
    ]


def _graders(entries: Sequence[tuple[Location, Any]], info: ValidationInfo) -> list[Grader]:
    parse = info.context.parse_part if isinstance(info.context, ParseContext) else None
    names = [entry.get("name") for _, entry in entries if isinstance(entry, Mapping)]
    taken, made, findings = {name for name in names if isinstance(name, str)}, [], []
    for location, entry in entries:
        if isinstance(entry, Grader):
            made.append(entry)
        elif parse is None or not isinstance(entry, Mapping):
            findings.append(Finding(location, quoted(entry), "expected a grader, such as {exact: yes}"))
        else:
            try:
                made.append(_named_apart(_of_one_answer(parse(entry)), "name" in entry, taken))
            except InvalidEntryError as error:
                findings += [replace(found, location=(*location, *found.location)) for found in error.findings]
    twice = [name for name in names if isinstance(name, str) and names.count(name) > 1]
    if twice:
        findings.append(Finding((), f"two parts named {quoted(twice[0])}", "expected different names, or none"))
    if findings:
        raise PartsError(findings)
    return made


def _of_one_answer(part: Grader) -> Grader:
    """The part. Raises `InvalidEntryError` where it compares answers, as a composition has one only."""
    if part.compares:
        found = f"{part.family}, which grades no answer alone but one against another"
        raise InvalidEntryError([Finding((part.family,), found, "expected it as a grader of its own")])
    return part


def _named_apart(part: Grader, is_named: bool, taken: set[str]) -> Grader:  # noqa: FBT001
    """The part under a name that no other has: a second `exact` is `exact 2`."""
    if is_named:
        return part
    name, number = part.name, 1
    while name in taken:
        number += 1
        name = f"{part.name} {number}"
    taken.add(name)
    return part if name == part.name else copied(part, name=name)


def copied(grader: _G, **changes: Any) -> _G:
    """The grader with other settings, and without what was worked out from the old ones."""
    fields = {field: getattr(grader, field) for field in type(grader).model_fields}
    return grader.model_construct(_fields_set=grader.model_fields_set, **{**fields, **changes})  # type: ignore[return-value]


Parts = Annotated[
    tuple[Any, ...],
    AfterValidator(not_empty),
    BeforeValidator(_parsed),
    WithJsonSchema({"type": "array", "minItems": 1, "items": _ENTRY}),
]


class WeightedPart(BaseModel):
    """A grader and how much it counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    grader: Annotated[Any, WithJsonSchema(_ENTRY)]

    @field_serializer("grader")
    def _resolved(self, grader: Grader) -> dict[str, Any]:
        return grader.resolved()


@dataclass(frozen=True, slots=True)
class PartScore:
    """A part's main score; None where nobody was asked, because other parts had decided."""

    name: str
    weight: float
    score: Score | None

    @property
    def passed(self) -> bool | None:
        """Whether the part passed, None where that cannot be told."""
        return None if self.score is None else self.score.passed

    @property
    def told(self) -> str:
        """A line about it for a person."""
        if self.score is None:
            return f"{self.name}: not needed"
        how = self.score.reason.value
        if self.score.value is not None and 0 < self.score.value < 1:
            how = f"{how} ({self.score.value:.4g})"
        return f"{self.name}: {how}{f': {self.score.detail}' if self.score.detail else ''}"


def fact_of(part: PartScore) -> dict[str, Any]:
    """A part's score as plain JSON."""
    if part.score is None:
        return {"name": part.name, "weight": part.weight, "value": None, "passed": None, "reason": None}
    score = part.score
    fact = {"name": part.name, "weight": part.weight, "value": score.value, "passed": score.passed}
    return {**fact, "reason": score.reason.value, "facts": dict(score.facts)}


def cannot_tell(part: PartScore) -> Mark:
    """The mark where a part that cannot be graded leaves the whole open."""
    return Mark.error(f"a part cannot be graded: {part.told}")


def failing_of(parts: Sequence[PartScore]) -> list[PartScore]:
    """Those that failed."""
    return [part for part in parts if part.passed is False]


def is_judged(part: PartScore) -> bool:
    """Whether the part was judged, rather than failed because there was nothing to judge."""
    return part.score is not None and part.score.reason in _JUDGED


def reason_of(part: PartScore) -> Reason:
    """Why a composition fails that this part makes fail."""
    return Reason.WRONG if part.score is None or is_judged(part) else part.score.reason
