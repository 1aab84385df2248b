"""How a field is compared: value with value, by a family's grader, or element by element where it is a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from snapdrift.graders.base import Grader
from snapdrift.graders.comparers import NamedComparer, NumberComparer, TextComparer
from snapdrift.graders.list_alignment import (
    MOST_COMPARISONS,
    MOST_JUDGEMENTS,
    Cells,
    Compare,
    by_key,
    by_position,
    in_any_order,
)
from snapdrift.graders.marks import PASSED, CannotGradeError, Mark
from snapdrift.graders.nested import entry_of, expects_of_case, mark_of, nested_grader, problem_of
from snapdrift.graders.paths import ABSENT, Steps, look_up, parse_path
from snapdrift.graders.values import quoted
from snapdrift.model import Case, ScoreKind

NO_SUCH_FIELD = "no such field"
"""What a detail says where a field is absent."""
_BY_NAME = tuple(comparer.value for comparer in NamedComparer)
_A_COMPARER: dict[str, Any] = {"type": ["string", "object"], "description": "As for a field of `json_equal`."}
"""What editors are told of a comparer inside another one: the whole of it would never end."""


class FamilyComparer(BaseModel):
    """`{contains: "{{ expected }}"}`: a family's grader over the field; `expected` in it is the field's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grader: Grader

    @model_validator(mode="before")
    @classmethod
    def _of_entry(cls, value: Any, info: ValidationInfo) -> Any:
        return value if isinstance(value, cls) else {"grader": nested_grader(value, info, _BY_NAME)}

    @model_serializer
    def _as_entry(self) -> dict[str, Any]:
        return entry_of(self.grader)

    @cached_property
    def settled(self) -> bool:
        """Whether it says by itself what passes (`{contains: refund}`): it is asked whatever the case expects."""
        return not expects_of_case(self.grader)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A family's name or entry; what each takes is said where the families are."""
        del schema, handler
        number = {"required": ["number"], "maxProperties": 1, "properties": {"number": {"not": {"type": "string"}}}}
        others = [number, {"required": ["normalise"], "maxProperties": 1}, {"required": ["list"]}]
        forms = [
            {"type": "string", "not": {"enum": list(_BY_NAME)}},
            {"type": "object", "minProperties": 1, "not": {"anyOf": others}},
        ]
        return {"title": cls.__name__, "description": cls.__doc__, "anyOf": forms}


class Order(StrEnum):
    """How elements without a key find each other."""

    ANY_ORDER = "any_order"
    ORDERED = "ordered"


def below_root(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, when each is a path below the root. Raises `ValueError`."""
    if not fields:
        raise ValueError("at least one field")
    for field in fields:
        if not parse_path(field):
            raise ValueError("fields below the root; `$` itself is no field")
    return fields


def _checked_key(key: str) -> str:
    below_root({key: None})
    return key


class KeyedElements(BaseModel):
    """`{key: sku, fields: {qty: number}}`: objects that find each other by a field of theirs.

    `fields` says how the others are compared, and the key where it is among them; left out it is every field that an
    expected element has, exactly.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, AfterValidator(_checked_key)]
    fields: (
        Annotated[
            dict[str, Comparer],
            AfterValidator(below_root),
            WithJsonSchema({"type": "object", "additionalProperties": _A_COMPARER}),
        ]
        | None
    ) = None

    def cells(self, case: Case, wanted: list[Any]) -> Cells:
        """What elements are compared by, when these are wanted."""
        ways: Mapping[str, Comparer] = self.fields or {
            field: NamedComparer.EXACT for element in wanted if isinstance(element, dict) for field in element
        }
        # Names that come from the elements themselves are no paths, whatever characters they have.
        steps: dict[Steps, Comparer] = {parse_path(f) if self.fields else (f,): way for f, way in ways.items()}
        key = parse_path(self.key)
        of_key = steps.pop(key, NamedComparer.EXACT)
        return Cells(key, _comparing(of_key, case), tuple((at, _comparing(way, case)) for at, way in steps.items()))


def _kind_of_elements(value: Any) -> str:
    return "@keyed" if isinstance(value, dict | KeyedElements) else "@order"


class ListComparer(BaseModel):
    """`{list: {key: sku, fields: {...}}}`, or `{list: any_order, items: casefold}` for elements compared whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    elements: Annotated[
        Annotated[KeyedElements, Tag("@keyed")] | Annotated[Order, Tag("@order")], Discriminator(_kind_of_elements)
    ] = Field(alias="list")
    items: Annotated[Comparer, WithJsonSchema(_A_COMPARER)] = NamedComparer.EXACT

    @model_validator(mode="after")
    def _items_have_no_key(self) -> ListComparer:
        if isinstance(self.elements, KeyedElements) and "items" in self.model_fields_set:
            raise ValueError("`fields` beside `key`; `items` is for elements without one")
        return self

    @model_serializer
    def _as_entry(self) -> dict[str, Any]:
        if isinstance(self.elements, KeyedElements):
            return {"list": self.elements.model_dump(mode="json")}
        items = self.items.value if isinstance(self.items, NamedComparer) else self.items.model_dump(mode="json")
        return {"list": self.elements.value, "items": items}

    def mark(self, case: Case, found: Any, wanted: Any) -> Mark:
        """The share of the values of all elements, expected and invented, that are right."""
        if not isinstance(wanted, list):
            return Mark.error(f"the expected value {quoted(wanted)} is no list")
        if not isinstance(found, list):
            return Mark.of(passed=False, detail=f"expected a list, found {quoted(found)}")
        if isinstance(self.elements, KeyedElements):
            of_key = (self.elements.fields or {}).get(self.elements.key, NamedComparer.EXACT)
            return by_key(wanted, found, self.elements.cells(case, wanted), _most(of_key))
        if self.elements is Order.ORDERED:
            return by_position(wanted, found, _comparing(self.items, case))
        return in_any_order(wanted, found, _comparing(self.items, case), _most(self.items))

    def problem(self, case: Case, wanted: Any) -> str | None:
        """What keeps a list from ever being compared: no list, elements without a key or with one key twice."""
        if not isinstance(wanted, list):
            return f"the expected value {quoted(wanted)} is no list"
        if not isinstance(self.elements, KeyedElements):
            return next((told for item in wanted if (told := problem(self.items, case, item))), None)
        cells = self.elements.cells(case, wanted)
        keys = [cells.key_of(element) for element in wanted]
        for number, key in enumerate(keys):
            if key is ABSENT:
                return f"the expected element [{number}] has no {self.elements.key}"
            if any(cells.compare_key(key, other).passed for other in keys[:number]):
                return f"two expected elements have the {self.elements.key} {quoted(key)}"
        for field, comparer in (self.elements.fields or {}).items():
            for element in wanted:
                told = problem(comparer, case, look_up(element, parse_path(field)))
                if told:
                    return f"{field}: {told}"
        return None


def _kind_of_comparer(value: Any) -> str:
    if isinstance(value, str):
        return "@name" if value in _BY_NAME else "@family"
    if isinstance(value, dict):
        if value.keys() == {"number"} and not isinstance(value["number"], str):
            return "@number"
        if value.keys() == {"normalise"}:
            return "@text"
        return "@list" if "list" in value else "@family"
    kinds = ((NumberComparer, "@number"), (TextComparer, "@text"), (ListComparer, "@list"))
    return next((tag for kind, tag in kinds if isinstance(value, kind)), "@family")


Comparer = Annotated[
    Annotated[NumberComparer, Tag("@number")]
    | Annotated[TextComparer, Tag("@text")]
    | Annotated[ListComparer, Tag("@list")]
    | Annotated[FamilyComparer, Tag("@family")]
    | Annotated[NamedComparer, Tag("@name")],
    Discriminator(_kind_of_comparer),
]
KeyedElements.model_rebuild()
ListComparer.model_rebuild()


def kind_of(comparer: Comparer) -> ScoreKind:
    """Whether a field compared so passes or fails, or has a share."""
    if isinstance(comparer, FamilyComparer):
        return comparer.grader.metrics[0].kind
    return ScoreKind.GRADED if isinstance(comparer, ListComparer) else ScoreKind.PASS_FAIL


def is_settled(comparer: Comparer) -> bool:
    """Whether the comparer says by itself what passes."""
    return isinstance(comparer, FamilyComparer) and comparer.settled


def versions_of(comparer: Comparer) -> Iterator[str]:
    """The versions of the families that compare for it: what they are is not said by its settings alone."""
    if isinstance(comparer, FamilyComparer):
        yield comparer.grader.version
    elif isinstance(comparer, ListComparer):
        yield from versions_of(comparer.items)
        if isinstance(comparer.elements, KeyedElements):
            for way in (comparer.elements.fields or {}).values():
                yield from versions_of(way)


def compared(comparer: Comparer, case: Case, found: Any, wanted: Any) -> Mark:
    """What to think of a found value where another is wanted. `ABSENT` and null are like themselves only."""
    if comparer.__class__ in _PLAIN and not (found is ABSENT or wanted is ABSENT or found is None or wanted is None):
        return _compared_plainly(cast("_Plain", comparer), found, wanted)
    if is_settled(comparer):
        wanted = None
        if found is ABSENT or found is None:
            return Mark.of(passed=False, detail=f"expected a value, found {shown(found)}")
    elif found is ABSENT or wanted is ABSENT or found is None or wanted is None:
        if found is wanted:
            return Mark.of(passed=True)
        return Mark.of(passed=False, detail=f"expected {shown(wanted)}, found {shown(found)}")
    if isinstance(comparer, FamilyComparer):
        return mark_of(comparer.grader, case, found, wanted)
    if isinstance(comparer, ListComparer):
        return comparer.mark(case, found, wanted)
    return _compared_plainly(comparer, found, wanted)


_Plain = NamedComparer | NumberComparer | TextComparer
_PLAIN = frozenset({NamedComparer, NumberComparer, TextComparer})


def _compared_plainly(comparer: _Plain, found: Any, wanted: Any) -> Mark:
    try:
        equal = comparer.equal(found, wanted)
    except CannotGradeError as error:
        return Mark.error(str(error))
    return PASSED if equal else Mark.of(passed=False, detail=f"expected {quoted(wanted)}, found {quoted(found)}")


def problem(comparer: Comparer, case: Case, wanted: Any) -> str | None:
    """What keeps the comparer from ever comparing anything with an expected value, or None."""
    if not is_settled(comparer) and (wanted is ABSENT or wanted is None):
        return None
    if isinstance(comparer, FamilyComparer):
        return problem_of(comparer.grader, case, None if is_settled(comparer) else wanted)
    if isinstance(comparer, ListComparer):
        return comparer.problem(case, wanted)
    try:
        comparer.equal(wanted, wanted)
    except CannotGradeError as error:
        return str(error)
    return None


def shown(value: Any) -> str:
    """A value in a detail."""
    return NO_SUCH_FIELD if value is ABSENT else quoted(value)


def _most(comparer: Comparer) -> int:
    """How many pairs of elements are compared so before a list is too long."""
    plain = isinstance(comparer, NamedComparer | NumberComparer | TextComparer)
    return MOST_COMPARISONS if plain else MOST_JUDGEMENTS


def _comparing(comparer: Comparer, case: Case) -> Compare:
    return lambda found, wanted: compared(comparer, case, found, wanted)
