"""`json_equal`: the answer's JSON equals the expected object, field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field

from snapdrift.errors import SnapdriftError
from snapdrift.graders.arguments import Argument
from snapdrift.graders.base import Grader
from snapdrift.graders.comparers import Comparer, NamedComparer
from snapdrift.graders.extract import WHOLE_JSON, Alternatives
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.paths import ABSENT, Steps, format_path, look_up, parse_path
from snapdrift.graders.values import quoted
from snapdrift.model import Case, MetricSpec, ScoreKind

NO_SUCH_FIELD = "no such field"
"""What a detail says where a field is absent."""


def _with_exact(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return dict.fromkeys(value, NamedComparer.EXACT.value)
    return value


def _checked_fields(fields: dict[str, Any]) -> dict[str, Any]:
    if not fields:
        raise ValueError("at least one field")
    for field in fields:
        if not parse_path(field):
            raise ValueError("fields below the root; `$` itself is no field")
    return fields


Fields = Annotated[
    dict[str, Comparer],
    AfterValidator(_checked_fields),
    BeforeValidator(_with_exact, json_schema_input_type=list[str] | dict[str, Comparer]),
]


class JsonEqual(Grader):
    """Compares the fields of the extracted object with those of the expected one.

    Each field is a pass/fail metric `name.field`; `name` itself is their mean and passes when all of them do. `fields`
    names what is compared and how; left out it is every field that some case expects, compared exactly. A field that
    is absent equals a field that is not expected; `null` is a value of its own.
    """

    family: ClassVar[str] = "json_equal"
    kind: ClassVar[ScoreKind] = ScoreKind.GRADED
    reads_json: ClassVar[bool] = True
    templated: ClassVar[tuple[str, ...]] = ("json_equal",)
    unscored: ClassVar[str] = (
        "Text that is not JSON counts as not extracted. An expected value that is no object, or that a "
        "comparer cannot read, is a grader error."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: '{"total": 99.999, "due": "31 January 2025", "note": null}'
expected: {total: 100, due: 2025-01-31, note: null}
grader:
  name: fields
  json_equal: "{{ expected }}"
  fields: {total: {number: 0.005}, due: date, note: exact}   # also casefold, number, {normalise: [...]}
""",
    )

    json_equal: Argument = Field(description="The expected object.")
    fields: Fields | None = Field(
        default=None, description="What is compared, and how; left out all that some case expects, exactly."
    )
    extract: Alternatives = WHOLE_JSON

    @cached_property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The mean first, then one metric a field."""
        mean = self._metric(self.name, ScoreKind.GRADED)
        return (mean, *(self._metric(self.metric_of(field), ScoreKind.PASS_FAIL) for field in self.fields or {}))

    def metric_of(self, field: str) -> str:
        """The metric of a field."""
        return f"{self.name}.{field}"

    @cached_property
    def _metrics_of(self) -> Mapping[str, str]:
        return {field: self.metric_of(field) for field in self.fields or {}}

    @cached_property
    def _compared(self) -> frozenset[str | int]:
        return frozenset(steps[0] for steps in self._steps.values())

    @cached_property
    def _steps(self) -> Mapping[str, Steps]:
        return {field: parse_path(field) for field in self.fields or {}}

    def with_cases(self, cases: Sequence[Case]) -> Self:
        """The fields made explicit: the union of the keys of the expected objects, in the order of the cases."""
        if self.fields is not None:
            return self
        found: dict[str, Comparer] = {}
        for case in cases:
            try:
                wanted = self.rendered("json_equal", case) if self.applies(case) else None
            except SnapdriftError:
                continue  # the loader reports templates that fail, with their own position
            if isinstance(wanted, dict):
                found.update({format_path((key,)): NamedComparer.EXACT for key in wanted})
        if not found:
            raise ValueError("no case has an expected object to take fields from; name them under `fields:`")
        settings = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**settings, "fields": found})

    def check_case(self, case: Case) -> str | None:
        """An expected value that is no object, or that a field's comparer cannot read."""
        wanted = self.rendered("json_equal", case)
        if not isinstance(wanted, dict):
            return f"the expected value {quoted(wanted)} is not an object"
        for field, comparer in (self.fields or {}).items():
            value = look_up(wanted, self._steps[field])
            try:
                if value is not ABSENT:
                    comparer.equal(value, value)
            except CannotGradeError as error:
                return f"field {field}: {error}"
        return None

    def marks(self, case: Case, value: Any) -> Mapping[str, Mark]:
        """One mark a field, and their mean."""
        wanted = self.rendered("json_equal", case)
        if not isinstance(wanted, dict):
            raise CannotGradeError(f"the expected value {quoted(wanted)} is not an object")
        names = self._metrics_of
        if not isinstance(value, dict):
            wrong = Mark.of(passed=False, detail=f"the answer is {quoted(value)}, not an object")
            return {self.name: wrong, **dict.fromkeys(names.values(), wrong)}
        fields = (self.fields or {}).items()
        marks = {field: self._field(field, comparer, value, wanted) for field, comparer in fields}
        return {self.name: self._mean(marks, value), **{names[field]: mark for field, mark in marks.items()}}

    def missing_fields(self, case: Case, value: Any) -> tuple[str, ...]:
        """The compared fields that the case expects and an extracted object does not have."""
        wanted = self.rendered("json_equal", case)
        if not isinstance(value, dict):
            return ()
        return tuple(
            field
            for field, steps in self._steps.items()
            if look_up(value, steps) is ABSENT and look_up(wanted, steps) is not ABSENT
        )

    def _field(self, field: str, comparer: Comparer, value: Any, wanted: Any) -> Mark:
        steps = self._steps[field]
        found, target = look_up(value, steps), look_up(wanted, steps)
        if found is ABSENT or target is ABSENT:
            return Mark.of(
                found is target, "" if found is target else f"expected {_shown(target)}, found {_shown(found)}"
            )
        try:
            equal = comparer.equal(found, target)
        except CannotGradeError as error:
            return Mark.error(str(error))
        return Mark.of(equal, "" if equal else f"expected {quoted(target)}, found {quoted(found)}")

    def _mean(self, marks: Mapping[str, Mark], value: Mapping[str, Any]) -> Mark:
        broken = next((mark for mark in marks.values() if mark.value is None), None)
        if broken is not None:
            return Mark.error(broken.detail)
        wrong = [f"{field}: {mark.detail}" for field, mark in marks.items() if not mark.passed]
        extra = [f"{format_path((key,))}: not compared" for key in value if key not in self._compared]
        mean = sum(mark.value or 0.0 for mark in marks.values()) / len(marks)
        detail = f"{len(wrong)} of {len(marks)} fields differ: {'; '.join(wrong)}" if wrong else ""
        return Mark.graded(mean, passed=not wrong, detail=detail, evidence=(*wrong, *extra))


def _shown(value: Any) -> str:
    return NO_SUCH_FIELD if value is ABSENT else quoted(value)
