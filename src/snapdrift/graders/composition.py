"""`all` and `any`, and what they share with `weighted`: graders made of other graders.

A part is a grader of its own: it extracts, accepts, asks judges and calls functions as it would alone, and its main
score counts. What parts cannot tell is told apart from what they deny: an unmeasured part decides nothing.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, field_serializer, model_validator

from snapdrift.graders.base import Grader
from snapdrift.graders.marks import Mark
from snapdrift.graders.needs import NOTHING_SEEN, CodeFile, Got, JudgeQuestion, Need, Seen
from snapdrift.graders.parts import Parts, PartScore, cannot_tell, copied, fact_of, failing_of, is_judged, reason_of
from snapdrift.graders.scoring import not_accepted, scores_of
from snapdrift.model import Case, MetricSpec, Response, Score, Variant, sha256
from snapdrift.suites.registry import JudgeAt, Location

if TYPE_CHECKING:
    from snapdrift.suites.prompts import Template


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
    def judges_at(self) -> Mapping[Location, JudgeAt]:
        """The models that its parts ask, each under a name of its own."""
        return {
            (*place, *location): replace(judge, variant=self._renamed(judge.variant))
            for place, part in self.parts.items()
            for location, judge in part.judges_at.items()
        }

    def tools_named(self, case: Case) -> tuple[str, ...]:
        """The tools that its parts name."""
        return tuple(name for part in self.parts.values() if part.applies(case) for name in part.tools_named(case))

    @property
    def sees_prompt(self) -> bool:
        """Whether a part looks at the conversation that was asked."""
        return any(part.sees_prompt for part in self.parts.values())

    @property
    def sees_steps(self) -> bool:
        """Whether a part may look at what came between the steps of an answer."""
        return any(part.sees_steps for part in self.parts.values())

    def notes(self) -> tuple[str, ...]:
        """What is to be known of its parts."""
        return tuple(note for part in self.parts.values() for note in part.notes())

    def settles(self, case: Case, reply: Response) -> bool:
        """Whether the part that asked can read the reply: the call is named `COMPOSITION.PART[.NEED]`."""
        asked = reply.call.grader.partition(".")[2]
        part = next(part for part in self.parts.values() if part.name == asked.partition(".")[0])
        return part.settles(case, replace(reply, call=replace(reply.call, grader=asked)))

    @property
    def code(self) -> Mapping[Location, CodeFile]:
        """The functions that its parts call."""
        return {(*place, *location): file for place, part in self.parts.items() for location, file in part.code.items()}

    def misfit(self, variant: Variant) -> str | None:
        """What keeps a part from ever being graded."""
        found = ((part.name, part.misfit(variant)) for part in self.parts.values())
        return next((f"{clause} (part {name})" for name, clause in found if clause), None)

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
        if not wanted:
            return {}
        if self.decided(
            [self._scored(number, part, case, response, {}, seen) for number, part in self._free(case, wanted)]
        ):
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
        scored = {n: self._scored(n, part, case, response, {}, seen) for n, part in self._free(case, wanted)}
        decided = self.decided(list(scored.values()))
        for number, part in self._applying(case):
            if number not in scored and decided:
                scored[number] = PartScore(part.name, self.weight_of(number), None)
            elif number not in scored:
                own = _of_part(got, part.name)
                scored[number] = self._scored(number, part, case, response, own, seen)
        ordered = [scored[number] for number in sorted(scored)]
        mark = self.combined(ordered)
        facts = {"parts": [fact_of(part) for part in ordered]}
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
        got: Got,
        seen: Seen,
    ) -> PartScore:
        weight = self.weight_of(number)
        try:
            scores = part.read(case, response, got, seen)
        except Exception as error:  # noqa: BLE001  a defect in one family is that part's, not the run's
            failed = Mark.error(f"the grader failed: {type(error).__name__}: {error}")
            scores = scores_of(part, response, failed)
        return PartScore(part.name, weight, scores[0])


def _of_part(got: Got, name: str) -> Got:
    """What came back for a part, by the names that it knows."""
    prefix = f"{name}."
    mine = {key.removeprefix(prefix): value for key, value in got.items() if key.startswith(prefix)}
    return {"": got[name], **mine} if name in got else mine


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
        return copied(self, members=tuple(parts))


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
        return bool(failing_of(parts))

    def combined(self, parts: Sequence[PartScore]) -> Mark:
        """Failed where a part fails, unmeasured where none does and one cannot be graded, else passed."""
        failing = failing_of(parts)
        if failing:
            named = next((part for part in failing if is_judged(part)), failing[0])
            more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
            return Mark(0.0, passed=False, reason=reason_of(named), detail=f"{named.told}{more}")
        unknown = next((part for part in parts if part.passed is None), None)
        return Mark.of(passed=True) if unknown is None else cannot_tell(unknown)


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
            return cannot_tell(unknown)
        # With `not`, what nothing could be made of stays failed, as it would under `all` with each part turned round.
        named = next((part for part in parts if not is_judged(part)), parts[0])
        return Mark(0.0, passed=False, reason=reason_of(named), detail="; ".join(part.told for part in parts))
