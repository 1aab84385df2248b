"""`json_equal`: the answer's JSON equals the expected object, field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field

from snapdrift.errors import SnapdriftError
from snapdrift.graders.arguments import Argument
from snapdrift.graders.base import Grader
from snapdrift.graders.comparers import NamedComparer
from snapdrift.graders.extract import WHOLE_JSON, Alternatives
from snapdrift.graders.field_comparers import Comparer, below_root, compared, is_settled, kind_of, problem, versions_of
from snapdrift.graders.field_names import misspelt_field
from snapdrift.graders.marks import PASSED, CannotGradeError, Mark
from snapdrift.graders.paths import ABSENT, Steps, format_path, look_up, parse_path
from snapdrift.graders.values import quoted
from snapdrift.model import Case, MetricSpec, Reason, ScoreKind, sha256

INVENTED = "invented"
"""What the metric of invented values is called, after the grader's name."""


def _with_exact(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return dict.fromkeys(value, NamedComparer.EXACT.value)
    return value


def _checked_fields(fields: dict[str, Any]) -> dict[str, Any]:
    if INVENTED in fields:
        raise ValueError(f'another spelling, ["{INVENTED}"]: the metric of invented values is called `{INVENTED}`')
    return below_root(fields)


Fields = Annotated[
    dict[str, Comparer],
    AfterValidator(_checked_fields),
    BeforeValidator(_with_exact, json_schema_input_type=list[str] | dict[str, Comparer]),
]


class JsonEqual(Grader):
    """Compares the fields of the extracted object with those of the expected one.

    Each field is a metric `name.field`; `name` itself is their mean and passes when all of them do. `fields` names what
    is compared and how; left out it is every field that some case expects, compared exactly. A field that is absent
    equals a field that is not expected; `null` is a value of its own.

    `name.invented`, of which less is better, is the share of the compared fields for which the case expects no value
    (absent, null, or an empty text, list or object) that the answer fills with one; 0 where the case expects a value of
    each. It is not part of the mean. Values inside lists and nested objects count in their own field alone.

    A list that is aligned by a key is worth the share of the values of all its elements, expected and invented, that
    are right; the key is one of the values. An element that is missing, invented or there twice has none of them right.
    """

    family: ClassVar[str] = "json_equal"
    family_version: ClassVar[int] = 2
    kind: ClassVar[ScoreKind] = ScoreKind.GRADED
    reads_json: ClassVar[bool] = True
    templated: ClassVar[tuple[str, ...]] = ("json_equal",)
    unscored: ClassVar[str] = (
        "Text that is not JSON is `invalid_json`; JSON that is no object is wrong in every field. In `name.invented` "
        "either counts as the worst, 1. An expected value that is no object is a grader error; one that a field's "
        "comparer cannot read is a grader error of that field and of the mean."
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
        """\
answer: '{"buyer": "ACME", "reason": "The parcel came too late.", "tags": ["late", "Parcel"]}'
expected: {buyer: Acme, reason: late, tags: [parcel, late]}
grader:
  name: claim
  json_equal: "{{ expected }}"
  fields:
    buyer: casefold
    reason: {contains: "{{ expected }}"}           # any family that judges a value; `expected` is the field's
    tags: {list: any_order, items: casefold}       # or ordered
""",
        """\
answer: '{"lines": [{"sku": "B2", "qty": 1, "price": 4.999}, {"sku": "A1", "qty": 2, "price": 3}]}'
expected: {lines: [{sku: A1, qty: 2, price: 3.0}, {sku: B2, qty: 1, price: 5.0}]}
grader:
  name: invoice
  json_equal: "{{ expected }}"
  fields: {lines: {list: {key: sku, fields: {qty: number, price: {number: 0.01}}}}}
""",
    )

    json_equal: Argument = Field(description="The expected object.")
    fields: Fields | None = Field(
        default=None,
        description=(
            "The fields by path, and how each is compared: `exact`, `casefold`, `number`, `date`, `{number: 0.005}`, "
            "`{normalise: [...]}`, another family's entry, `{list: any_order}`, `{list: ordered}` or "
            "`{list: {key: sku, fields: {...}}}`. A list of paths is compared exactly."
        ),
    )
    extract: Alternatives = WHOLE_JSON

    @cached_property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The mean first, then one metric a field, then the invented values."""
        mean = self._metric(self.name, ScoreKind.GRADED)
        fields = (self._metric(self.metric_of(field), kind_of(way)) for field, way in (self.fields or {}).items())
        invented = self._metric(self.metric_of(INVENTED), ScoreKind.GRADED)
        return (mean, *fields, replace(invented, higher_is_better=False))

    @cached_property
    def version(self) -> str:
        """As for every grader; the versions of the families that compare fields are settings of this one."""
        versions = sorted(version for way in (self.fields or {}).values() for version in versions_of(way))
        plain = super().version
        return plain if not versions else f"{plain.rpartition(':')[0]}:{sha256([plain, *versions])[:12]}"

    def metric_of(self, field: str) -> str:
        """The metric of a field."""
        return f"{self.name}.{field}"

    @cached_property
    def _compared_fields(self) -> tuple[_Field, ...]:
        return tuple(
            _Field(path, self.metric_of(path), self._steps[path], _only_name(self._steps[path]), way, is_settled(way))
            for path, way in (self.fields or {}).items()
        )

    @cached_property
    def _invented_metric(self) -> str:
        return self.metric_of(INVENTED)

    @cached_property
    def _compared(self) -> frozenset[str | int]:
        return frozenset(steps[0] for steps in self._steps.values())

    @cached_property
    def _steps(self) -> Mapping[str, Steps]:
        return {field: parse_path(field) for field in self.fields or {}}

    def with_cases(self, cases: Sequence[Case]) -> Self:
        """The fields made explicit: the union of the keys of the expected objects, in the order of the cases."""
        if self.fields is not None:
            self._check_names(cases)
            return self
        found: dict[str, Comparer] = {}
        for case in cases:
            wanted = self._wanted_or_none(case)
            if isinstance(wanted, dict):
                found.update({_path_of(key): NamedComparer.EXACT for key in wanted})
        if not found:
            raise ValueError("no case has an expected object to take fields from; name them under `fields:`")
        settings = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**settings, "fields": found})

    def _check_names(self, cases: Sequence[Case]) -> None:
        """Raises `ValueError` for a field that no case expects and that is nearly one that some case does.

        Such a field would be absent on both sides of every case, and right.
        """
        wanted = [value for case in cases if isinstance(value := self._wanted_or_none(case), dict)]
        misspelt = misspelt_field(self.fields or {}, wanted)
        if misspelt is not None:
            raise ValueError(misspelt)

    def _wanted_or_none(self, case: Case) -> Any:
        try:
            return self.rendered("json_equal", case) if self.applies(case) else None
        except SnapdriftError:
            return None  # the loader reports templates that fail, with their own position

    def check_case(self, case: Case) -> str | None:
        """An expected value that is no object, or that a field's comparer cannot read."""
        wanted = self.rendered("json_equal", case)
        if not isinstance(wanted, dict):
            return f"the expected value {quoted(wanted)} is not an object"
        for field, comparer in (self.fields or {}).items():
            told = problem(comparer, case, look_up(wanted, self._steps[field]))
            if told is not None:
                return f"field {field}: {told}"
        return None

    def marks(self, case: Case, value: Any) -> Mapping[str, Mark]:
        """One mark a field, their mean, and that of the invented values."""
        wanted = self.rendered("json_equal", case)
        if not isinstance(wanted, dict):
            raise CannotGradeError(f"the expected value {quoted(wanted)} is not an object")
        if not isinstance(value, dict):
            wrong = Mark.of(passed=False, detail=f"the answer is {quoted(value)}, not an object")
            worst = replace(wrong, value=1.0)
            return {**{metric.name: wrong for metric in self.metrics}, self.metric_of(INVENTED): worst}
        marks = {self.name: PASSED}  # the mean, which is first, is known at the end
        blank: dict[str, Any] = {}
        for field in self._compared_fields:
            found, expected = field.value_in(value), field.value_in(wanted)
            marks[field.metric] = compared(field.comparer, case, found, expected)
            if not (_holds_value(expected) or field.settled):
                blank[field.path] = found
        marks[self.name] = self._mean(marks, value)
        marks[self._invented_metric] = _invented(blank)
        return marks

    def missing_fields(self, case: Case, value: Any) -> tuple[str, ...]:
        """The compared fields that the case expects and an extracted object does not have."""
        wanted = self.rendered("json_equal", case)
        if not isinstance(value, dict):
            return ()
        return tuple(
            field
            for field, steps in self._steps.items()
            if look_up(value, steps) is ABSENT
            and (look_up(wanted, steps) is not ABSENT or is_settled((self.fields or {})[field]))
        )

    def _mean(self, marks: Mapping[str, Mark], value: Mapping[str, Any]) -> Mark:
        """The mark of the whole, of those by metric; that of the whole among them does not count."""
        extra = [f"{format_path((key,))}: not compared" for key in value if key not in self._compared]
        others = [(field.path, marks[field.metric]) for field in self._compared_fields]
        wrong: list[str] = []
        total = 0.0
        for path, mark in others:
            if mark.value is None:
                return Mark.error(mark.detail)
            total += mark.value
            if not mark.passed:
                wrong.append(f"{path}: {mark.detail}")
        if not (wrong or extra) and total == len(others):
            return PASSED
        detail = f"{len(wrong)} of {len(others)} fields differ: {'; '.join(wrong)}" if wrong else ""
        return Mark.graded(total / len(others), passed=not wrong, detail=detail, evidence=(*wrong, *extra))


@dataclass(frozen=True, slots=True)
class _Field:
    """A field as it is compared; `key` is its path where that is one name, `settled`: whatever the case expects."""

    path: str
    metric: str
    steps: Steps
    key: str | None
    comparer: Comparer
    settled: bool

    def value_in(self, value: dict[str, Any]) -> Any:
        """What an object has there, or `ABSENT`."""
        # Most fields are of the root, and there a name is all it takes.
        return look_up(value, self.steps) if self.key is None else value.get(self.key, ABSENT)


def _only_name(steps: Steps) -> str | None:
    return steps[0] if len(steps) == 1 and isinstance(steps[0], str) else None


def _invented(blank: Mapping[str, Any]) -> Mark:
    """The share that is filled of the fields without an expected value, of what is found in each."""
    filled = {path: found for path, found in blank.items() if _holds_value(found)} if blank else {}
    if not filled:
        return _NOTHING_INVENTED
    told = tuple(f"{path}: found {quoted(found)}, expected no value" for path, found in filled.items())
    detail = f"{len(filled)} of {len(blank)} fields without an expected value are filled: {'; '.join(told)}"
    facts = {INVENTED: list(filled)[:_NAMED_FACTS]}
    return Mark(len(filled) / len(blank), passed=False, reason=Reason.WRONG, detail=detail, evidence=told, facts=facts)


_NOTHING_INVENTED = Mark(0.0, passed=True, reason=Reason.PASSED)
_NAMED_FACTS = 20


def _holds_value(value: Any) -> bool:
    """Whether there is something: `false` and 0 are values, an empty text, list or object is none."""
    if value is ABSENT or value is None:
        return False
    return bool(value) or not isinstance(value, str | list | dict)


def _path_of(key: str) -> str:
    """The path of a field of the root; `invented` in its other spelling, as that is what another metric is called."""
    return format_path((key,)) if key != INVENTED else f'["{INVENTED}"]'
