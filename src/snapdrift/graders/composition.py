"""`all`, `any` and `weighted`: graders made of other graders.

A part is a grader of its own: it extracts, accepts, asks judges and calls functions as it would alone, and its main
score counts. What parts cannot tell is told apart from what they deny: an unmeasured part decides nothing.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_serializer,
    model_validator,
)

from snapdrift.graders.arguments import not_empty
from snapdrift.graders.base import Grader, not_accepted, scores_of
from snapdrift.graders.marks import Mark
from snapdrift.graders.needs import NOTHING_SEEN, CodeFile, Got, JudgeQuestion, Need, Seen
from snapdrift.graders.values import quoted
from snapdrift.graders.workspace_files import ParseContext, PartsError
from snapdrift.model import Case, MetricSpec, Reason, Response, Score, ScoreKind, Variant, sha256
from snapdrift.suites.registry import Finding, InvalidEntryError, Location

if TYPE_CHECKING:
    from snapdrift.suites.prompts import Template

_JUDGED = (Reason.PASSED, Reason.WRONG, Reason.SCHEMA_VIOLATION)
_ROUNDING = 1e-9
_G = TypeVar("_G", bound=Grader)
_ENTRY = {"type": "object", "$comment": "GraderEntry"}


# -------------------------------------------------------------------------------------------------------- reading parts


def _parsed(entries: Any, info: ValidationInfo) -> Any:
    """The graders of a list of entries. Raises `PartsError` with everything that is wrong with them."""
    if not isinstance(entries, list | tuple):
        raise ValueError("a list of graders")  # noqa: TRY004  pydantic catches ValueError
    return _graders([((index,), entry) for index, entry in enumerate(entries)], info)


def _parsed_weighted(entries: Any, info: ValidationInfo) -> Any:
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
                made.append(_named_apart(parse(entry), "name" in entry, taken))
            except InvalidEntryError as error:
                findings += [replace(found, location=(*location, *found.location)) for found in error.findings]
    twice = [name for name in names if isinstance(name, str) and names.count(name) > 1]
    if twice:
        findings.append(Finding((), f"two parts named {quoted(twice[0])}", "expected different names, or none"))
    if findings:
        raise PartsError(findings)
    return made


def _named_apart(part: Grader, is_named: bool, taken: set[str]) -> Grader:  # noqa: FBT001
    """The part under a name that no other has: a second `exact` is `exact 2`."""
    if is_named:
        return part
    name, number = part.name, 1
    while name in taken:
        number += 1
        name = f"{part.name} {number}"
    taken.add(name)
    return part if name == part.name else _copied(part, name=name)


def _copied(grader: _G, **changes: Any) -> _G:
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


# ----------------------------------------------------------------------------------------------------- the compositions


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


class Composition(Grader):
    """What the three families share. A part's main score counts, for the cases that its own `when` names."""

    reads_text: ClassVar[bool] = False
    composed: ClassVar[bool] = True

    @property
    @abstractmethod
    def parts(self) -> Mapping[Location, Grader]:
        """The graders that it is made of, by where they stand in the entry."""

    @abstractmethod
    def with_parts(self, parts: Sequence[Grader]) -> Self:
        """The same, made of these."""

    @abstractmethod
    def combined(self, parts: Sequence[PartScore]) -> Mark:
        """The mark that the scores of the parts make."""

    def decided(self, parts: Sequence[PartScore]) -> bool:
        """Whether these scores decide, whatever the other parts would say."""
        del parts
        return False

    def weight_of(self, number: int) -> float:
        """The weight of a part, by its number."""
        del number
        return 1.0

    @model_validator(mode="after")
    def _accepts_what_its_parts_do(self) -> Self:
        if "accepts" not in self.model_fields_set:
            outcomes = dict.fromkeys(outcome for part in self.parts.values() for outcome in part.accepts)
            object.__setattr__(self, "accepts", tuple(outcomes))
        return self

    @cached_property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """One metric, which is a judge's where a part's is; the parts have none of their own."""
        judged = any(metric.judged for part in self.parts.values() for metric in part.metrics)
        return (replace(self._metric(self.name, self.kind), judged=judged),)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that it names and that its parts name."""
        return tuple(dict.fromkeys([*super().tags, *(tag for part in self.parts.values() for tag in part.tags)]))

    def applies(self, case: Case) -> bool:
        """Whether it and some part of it grade the case."""
        return self.takes(case) and any(part.applies(case) for part in self.parts.values())

    def takes(self, case: Case) -> bool:
        """Whether its own `when` names the case."""
        return super().applies(case)

    @cached_property
    def templates(self) -> Mapping[Location, Template]:
        """The templates of its parts, by where they stand in the entry."""
        return {
            (*place, *location): template
            for place, part in self.parts.items()
            for location, template in part.templates.items()
        }

    @cached_property
    def version(self) -> str:
        """As of any grader; it covers the versions of the parts, which cover their families'."""
        own = {key: value for key, value in self.resolved().items() if key in ("not", "accepts", "at_least")}
        parts = [[self.weight_of(number), part.version, part.tags] for number, part in enumerate(self.parts.values())]
        return f"{self.family}/{self.family_version}:{sha256([own, parts])[:12]}"

    @property
    def judges(self) -> tuple[Variant, ...]:
        """The models that its parts ask, each under a name of its own."""
        return tuple(self._renamed(judge) for part in self.parts.values() for judge in part.judges)

    @property
    def code(self) -> Mapping[Location, CodeFile]:
        """The functions that its parts call."""
        return {(*place, *location): file for place, part in self.parts.items() for location, file in part.code.items()}

    def for_planning(self) -> Self:
        """With those parts only that ask somebody: what the others say of an answer is not known."""
        asking = [part.for_planning() for part in self.parts.values() if part.judges]
        return self.with_parts(asking)

    def _renamed(self, judge: Variant) -> Variant:
        return replace(judge, name=f"judge {self.name}.{judge.name.removeprefix('judge ')}")

    # ------------------------------------------------------------------------------------------------ grading

    def needs(self, case: Case, response: Response, seen: Seen = NOTHING_SEEN) -> Mapping[str, Need]:
        """What its parts need, as `PART` or `PART.NEED`; nothing where the other parts have decided."""
        if not self.applies(case) or response.outcome not in self.accepts:
            return {}
        wanted = self._wanted(case, response, seen)
        if self.decided([self._scored(number, part, case, response) for number, part in self._free(case, wanted)]):
            return {}
        return {
            f"{part.name}.{name}" if name else part.name: self._as_own(need)
            for number, part in self._applying(case)
            for name, need in wanted.get(number, {}).items()
        }

    def _as_own(self, need: Need) -> Need:
        return replace(need, variant=self._renamed(need.variant)) if isinstance(need, JudgeQuestion) else need

    def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        """The score without anything from outside."""
        return self.read(case, response, {})

    def read(self, case: Case, response: Response, got: Got, seen: Seen = NOTHING_SEEN) -> tuple[Score, ...]:
        """The one score that the parts' scores make."""
        if not self.applies(case) or not response.outcome.measured:
            return ()
        if response.outcome not in self.accepts:
            return scores_of(self, response, not_accepted(self, response))
        wanted = self._wanted(case, response, seen)
        scored = {n: self._scored(n, part, case, response) for n, part in self._free(case, wanted)}
        decided = self.decided(list(scored.values()))
        for number, part in self._applying(case):
            if number not in scored and decided:
                scored[number] = PartScore(part.name, self.weight_of(number), None)
            elif number not in scored:
                own = _of_part(got, part.name)
                scored[number] = self._scored(number, part, case, response, own, seen)
        ordered = [scored[number] for number in sorted(scored)]
        mark = self.combined(ordered)
        facts = {"parts": [_fact(part) for part in ordered]}
        return scores_of(self, response, replace(mark, evidence=tuple(part.told for part in ordered), facts=facts))

    def _applying(self, case: Case) -> Iterator[tuple[int, Grader]]:
        return ((number, part) for number, part in enumerate(self.parts.values()) if part.applies(case))

    def _wanted(self, case: Case, response: Response, seen: Seen) -> dict[int, Mapping[str, Need]]:
        """What each part that applies needs, by its number; of those that need something."""
        found = ((number, part.needs(case, response, seen)) for number, part in self._applying(case))
        return {number: needs for number, needs in found if needs}

    def _free(self, case: Case, wanted: Mapping[int, Mapping[str, Need]]) -> list[tuple[int, Grader]]:
        return [(number, part) for number, part in self._applying(case) if number not in wanted]

    def _scored(
        self,
        number: int,
        part: Grader,
        case: Case,
        response: Response,
        got: Got | None = None,
        seen: Seen = NOTHING_SEEN,
    ) -> PartScore:
        weight = self.weight_of(number)
        try:
            scores = part.read(case, response, got or {}, seen)
        except Exception as error:  # noqa: BLE001  a defect in one family is that part's, not the run's
            failed = Mark.error(f"the grader failed: {type(error).__name__}: {error}")
            scores = scores_of(part, response, failed)
        return PartScore(part.name, weight, scores[0])


def _of_part(got: Got, name: str) -> Got:
    """What came back for a part, by the names that it knows."""
    prefix = f"{name}."
    mine = {key.removeprefix(prefix): value for key, value in got.items() if key.startswith(prefix)}
    return {"": got[name], **mine} if name in got else mine


def _fact(part: PartScore) -> dict[str, Any]:
    if part.score is None:
        return {"name": part.name, "weight": part.weight, "value": None, "passed": None, "reason": None}
    score = part.score
    fact = {"name": part.name, "weight": part.weight, "value": score.value, "passed": score.passed}
    return {**fact, "reason": score.reason.value, "facts": dict(score.facts)}


def _cannot_tell(part: PartScore) -> Mark:
    return Mark.error(f"a part cannot be graded: {part.told}")


def _failing(parts: Sequence[PartScore]) -> list[PartScore]:
    return [part for part in parts if part.passed is False]


def _is_judged(part: PartScore) -> bool:
    """Whether the part was judged, rather than failed because there was nothing to judge."""
    return part.score is not None and part.score.reason in _JUDGED


def _reason(part: PartScore) -> Reason:
    return Reason.WRONG if part.score is None or _is_judged(part) else part.score.reason


class _OfList(Composition):
    """A composition whose parts are a plain list."""

    members: Parts

    @field_serializer("members")
    def _resolved(self, members: tuple[Grader, ...]) -> list[dict[str, Any]]:
        return [member.resolved() for member in members]

    @property
    def parts(self) -> Mapping[Location, Grader]:
        """The graders by their places in the list."""
        return {(self.family, number): part for number, part in enumerate(self.members)}

    def with_parts(self, parts: Sequence[Grader]) -> Self:
        """The same, made of these."""
        return _copied(self, members=tuple(parts))


class All(_OfList):
    """Passes when every part passes; the first part that fails is named.

    Parts that need no judge and no code are graded first: where one of them fails, nobody is asked.
    """

    family: ClassVar[str] = "all"
    unscored: ClassVar[str] = (
        "Counts as not extracted when a part could not extract and no part was judged wrong. It is a grader error when "
        "a part cannot be graded and no other part fails: a part that fails decides."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: Your refund arrives on Monday.
grader: {name: good, all: [{contains: refund}, {regex: 'Monday|Tuesday'}, {not: true, contains: sorry}]}
""",
    )

    members: Parts = Field(alias="all", description="Graders, without names or with names of their own.")

    def decided(self, parts: Sequence[PartScore]) -> bool:
        """One that fails decides."""
        return bool(_failing(parts))

    def combined(self, parts: Sequence[PartScore]) -> Mark:
        """Failed where a part fails, unmeasured where none does and one cannot be graded, else passed."""
        failing = _failing(parts)
        if failing:
            named = next((part for part in failing if _is_judged(part)), failing[0])
            more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
            return Mark(0.0, passed=False, reason=_reason(named), detail=f"{named.told}{more}")
        unknown = next((part for part in parts if part.passed is None), None)
        return Mark.of(passed=True) if unknown is None else _cannot_tell(unknown)


class AnyOf(_OfList):
    """Passes when at least one part passes; where none does, each is named.

    Parts that need no judge and no code are graded first: where one of them passes, nobody is asked.
    """

    family: ClassVar[str] = "any"
    unscored: ClassVar[str] = (
        "Counts as not extracted when no part passes and one of them could not extract. It is a grader error when a "
        "part cannot be graded and no other part passes: a part that passes decides."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: "42"
expected: 42
grader: {name: right, any: [{exact: "{{ expected }}"}, {number: "{{ expected }}", absolute: 0.5}]}
""",
    )

    members: Parts = Field(alias="any", description="Graders, without names or with names of their own.")

    def decided(self, parts: Sequence[PartScore]) -> bool:
        """One that passes decides."""
        return any(part.passed for part in parts)

    def combined(self, parts: Sequence[PartScore]) -> Mark:
        """Passed where a part passes, unmeasured where none does and one cannot be graded, else failed."""
        passed = next((part for part in parts if part.passed), None)
        if passed is not None:
            return Mark.of(passed=True, detail=f"{passed.name} passed")
        unknown = next((part for part in parts if part.passed is None), None)
        if unknown is not None:
            return _cannot_tell(unknown)
        # With `not`, what nothing could be made of stays failed, as it would under `all` with each part turned round.
        named = next((part for part in parts if not _is_judged(part)), parts[0])
        return Mark(0.0, passed=False, reason=_reason(named), detail="; ".join(part.told for part in parts))


class Weighted(Composition):
    """The weighted mean of the parts' values; passes at `at_least`, and the parts that cost most are named.

    Parts whose `when` leaves out a case do not count for it. Every part is graded.
    """

    family: ClassVar[str] = "weighted"
    kind: ClassVar[ScoreKind] = ScoreKind.GRADED
    unscored: ClassVar[str] = (
        "A part that could not extract counts 0; it counts as not extracted when that holds for every part. It is a "
        "grader error when a part cannot be graded."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: Paris, the capital of France.
grader:
  name: quality
  weighted:
    - {weight: 3, grader: {contains: Paris}}
    - {weight: 1, grader: {regex: '^\\w+$'}}
  at_least: 0.7
""",
    )

    members: Annotated[
        tuple[WeightedPart, ...],
        AfterValidator(not_empty),
        BeforeValidator(_parsed_weighted, json_schema_input_type=list[WeightedPart]),
    ] = Field(alias="weighted", description="A list of {weight, grader}; a weight left out is 1.")
    at_least: Annotated[float, Field(ge=0, le=1)] = Field(default=1.0, description="The mean at which it passes.")

    @property
    def parts(self) -> Mapping[Location, Grader]:
        """The graders by their places in the list."""
        return {("weighted", number, "grader"): part.grader for number, part in enumerate(self.members)}

    def with_parts(self, parts: Sequence[Grader]) -> Self:
        """The same, made of these; of fewer, each counts 1."""
        kept = len(parts) == len(self.members)
        weights = [part.weight for part in self.members] if kept else [1.0] * len(parts)
        members = [WeightedPart(weight=weight, grader=part) for weight, part in zip(weights, parts, strict=True)]
        return _copied(self, members=tuple(members))

    def weight_of(self, number: int) -> float:
        """The weight of a part, by its number."""
        return self.members[number].weight

    def combined(self, parts: Sequence[PartScore]) -> Mark:
        """The mean, unmeasured where a part is."""
        values = [(part.weight, part.score.value) for part in parts if part.score and part.score.value is not None]
        unknown = next((part for part in parts if part.passed is None), None)
        if unknown is not None:
            return _cannot_tell(unknown)
        mean = math.fsum(weight * value for weight, value in values) / math.fsum(weight for weight, _ in values)
        mean = min(1.0, max(0.0, mean))
        if mean >= self.at_least - _ROUNDING:
            return Mark.graded(mean, passed=True, detail=f"{mean:.4g}")
        costly = sorted((part for part in parts if _lost(part)), key=_lost, reverse=True)
        detail = f"{mean:.4g}, passes at {self.at_least:g}; {'; '.join(part.told for part in costly)}"
        reason = Reason.WRONG if any(map(_is_judged, parts)) else _reason(parts[0])
        return Mark(mean, passed=False, reason=reason, detail=detail)


def _lost(part: PartScore) -> float:
    """What of its weight a part did not give."""
    return 0.0 if part.score is None or part.score.value is None else part.weight * (1.0 - part.score.value)
