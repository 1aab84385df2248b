"""`weighted`: the weighted mean of graders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field

from snapdrift.graders.arguments import not_empty
from snapdrift.graders.base import Grader
from snapdrift.graders.composition import Composition
from snapdrift.graders.marks import Mark
from snapdrift.graders.parts import PartScore, WeightedPart, cannot_tell, copied, is_judged, parsed_weighted, reason_of
from snapdrift.model import Reason, ScoreKind
from snapdrift.suites.registry import Location

_ROUNDING = 1e-9


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
        BeforeValidator(parsed_weighted, json_schema_input_type=list[WeightedPart]),
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
        return copied(self, members=tuple(members))

    def weight_of(self, number: int) -> float:
        """The weight of a part, by its number."""
        return self.members[number].weight

    def combined(self, parts: Sequence[PartScore]) -> Mark:
        """The mean, unmeasured where a part is."""
        values = [(part.weight, part.score.value) for part in parts if part.score and part.score.value is not None]
        unknown = next((part for part in parts if part.passed is None), None)
        if unknown is not None:
            return cannot_tell(unknown)
        mean = math.fsum(weight * value for weight, value in values) / math.fsum(weight for weight, _ in values)
        mean = min(1.0, max(0.0, mean))
        if mean >= self.at_least - _ROUNDING:
            return Mark.graded(mean, passed=True, detail=f"{mean:.4g}")
        costly = sorted((part for part in parts if _lost(part)), key=_lost, reverse=True)
        detail = f"{mean:.4g}, passes at {self.at_least:g}; {'; '.join(part.told for part in costly)}"
        reason = Reason.WRONG if any(map(is_judged, parts)) else reason_of(parts[0])
        return Mark(mean, passed=False, reason=reason, detail=detail)


def _lost(part: PartScore) -> float:
    """What of its weight a part did not give."""
    return 0.0 if part.score is None or part.score.value is None else part.weight * (1.0 - part.score.value)
