"""`trajectory`: how the model got to its answer over the steps of a call: which tools, in which order, in how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)

from snapdrift.errors import SnapdriftError
from snapdrift.graders.arguments import one_or_more, plain_json
from snapdrift.graders.base import Grader
from snapdrift.graders.expected import is_template
from snapdrift.graders.extract import Extraction
from snapdrift.graders.made_calls import MadeCall
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.matching import paired_in_order
from snapdrift.graders.values import quoted, text_of
from snapdrift.model import Case, Response

ORDERS = ("exact", "in_order", "any_order")


def _names(value: Any) -> Any:
    templated = isinstance(value, str) and is_template(value)
    if not templated and not (isinstance(value, list) and all(isinstance(name, str) for name in value)):
        raise ValueError("a list of tool names, or a template that yields one")
    return plain_json(value)


Names = Annotated[
    Any, AfterValidator(_names), BeforeValidator(lambda v: v, json_schema_input_type=str | list[str] | None)
]
_Steps = Annotated[StrictInt, Field(ge=1)]


class StepCount(BaseModel):
    """How many requests a call may take: from `at_least` to `at_most`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_least: _Steps | None = None
    at_most: _Steps | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("`at_least`, `at_most` or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least not above at_most, which is {self.at_most}")
        return self

    def __contains__(self, number: int) -> bool:
        return (self.at_least or 0) <= number and (self.at_most is None or number <= self.at_most)

    def __str__(self) -> str:
        bounds = {"at least": self.at_least, "at most": self.at_most}
        return " and ".join(f"{word} {bound}" for word, bound in bounds.items() if bound is not None)


class Way(BaseModel):
    """`{exact | in_order | any_order, steps, forbidden, no_repeats}`; all of those that are given hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exact: Names = None
    in_order: Names = None
    any_order: Names = None
    steps: StepCount | None = None
    forbidden: Annotated[tuple[str, ...], BeforeValidator(one_or_more, json_schema_input_type=str | list[str])] = ()
    no_repeats: StrictBool = False

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        orders = [order for order in ORDERS if getattr(self, order) is not None]
        if len(orders) > 1:
            raise ValueError(f"one of {', '.join(ORDERS)}, not {' and '.join(orders)}")
        if not (orders or self.steps or self.forbidden or self.no_repeats):
            raise ValueError(f"one of {', '.join(ORDERS)}, or `steps`, `forbidden` or `no_repeats: true`")
        return self


def _as_way(value: Any) -> Any:
    return {"exact": value} if isinstance(value, list | str) else value


class Trajectory(Grader):
    """Passes when the tools were called as asked over all steps of a call; arguments are `tool_calls`' business.

    `exact` names the calls one by one, `in_order` those that occur in this order whatever is called between them,
    `any_order` those that occur, each as often as it is named. `steps` bounds how many requests the call took
    (`{at_most: 4}`), `forbidden` names tools that must not be called, and `no_repeats` wants no call twice with the
    same arguments. A list alone is `exact`.
    """

    family: ClassVar[str] = "trajectory"
    reads_text: ClassVar[bool] = False
    templated: ClassVar[tuple[str, ...]] = ("trajectory",)
    unscored: ClassVar[str] = (
        "Nothing: an answer without calls has an empty trajectory. A call that ended at the step limit or at a tool "
        "without a result fails as `not_accepted`; with `accepts: [ok, step_limit, tool_unmatched]` its trajectory is "
        "graded as far as it went."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: Your order 5521 is refunded.
calls: [{name: lookup_order, arguments: '{"order": "5521"}'}, {name: refund, arguments: '{"order": "5521"}'}]
grader:
  name: way
  trajectory: {in_order: [lookup_order, refund], steps: {at_most: 4}, forbidden: [delete_order], no_repeats: true}
""",
        """\
answer: Your order 5521 is refunded.
calls: [{name: refund, arguments: '{"order": "5521"}'}, {name: lookup_order, arguments: '{"order": "5521"}'}]
expected: {tools: [lookup_order, refund]}
passes: false
grader: {name: way, trajectory: {exact: "{{ expected.tools }}"}}
""",
    )

    trajectory: Annotated[Way, BeforeValidator(_as_way, json_schema_input_type=str | list[str] | Way)] = Field(
        description="The calls one by one, or `{exact | in_order | any_order, steps, forbidden, no_repeats}`."
    )

    def argument(self, attribute: str) -> Any:
        """The trajectory as it stands in the entry, without settings that are not given."""
        value = getattr(self, attribute)
        return value.model_dump(mode="json", exclude_defaults=True) if isinstance(value, Way) else value

    def resolved(self) -> dict[str, Any]:
        """The entry, with the settings that were given."""
        return {**super().resolved(), "trajectory": self.argument("trajectory")}

    def value_in(self, response: Response) -> Extraction:
        """The calls of all steps in order, as `tool_calls` shows them."""
        return Extraction([MadeCall.of(call).shown for call in response.tool_calls], 0)

    def check_case(self, case: Case) -> str | None:
        """A template that yields no list of names, or a tool that has to be called and is forbidden."""
        for order in ORDERS:
            wanted = self.rendered("trajectory", case).get(order)
            if wanted is None:
                continue
            if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
                return f"{order} is {quoted(wanted)}, no list of tool names"
            both = next((name for name in wanted if name in self.trajectory.forbidden), None)
            if both is not None:
                return f"the tool {both} is expected and forbidden"
        return None

    def tools_named(self, case: Case) -> tuple[str, ...]:
        """The tools that are to be called and those that must not be."""
        try:
            wanted = self.rendered("trajectory", case)
        except SnapdriftError:
            wanted = {}
        lists = [names for order in ORDERS if isinstance(names := wanted.get(order), list)]
        return (*(str(name) for names in lists for name in names), *self.trajectory.forbidden)

    def marks_of(self, case: Case, response: Response, value: Any) -> Mapping[str, Mark]:
        """Looks at the calls and the number of requests."""
        del value
        problem = self.check_case(case)
        if problem is not None:
            raise CannotGradeError(problem)
        made = [MadeCall.of(call) for call in response.tool_calls]
        wanted = self.rendered("trajectory", case)
        told = (*_order(wanted, [call.name for call in made]), *self._rest(made, 1 + len(response.steps)))
        way = f"the calls: {' > '.join(call.name for call in made) or 'none'}"
        return {self.name: Mark.of(not told, "; ".join(told), (*told, way) if told else ())}

    def _rest(self, made: Sequence[MadeCall], requests: int) -> Iterator[str]:
        way = self.trajectory
        if way.steps is not None and requests not in way.steps:
            yield f"it took {requests} {'step' if requests == 1 else 'steps'}, not {way.steps}"
        for name in dict.fromkeys(call.name for call in made if call.name in way.forbidden):
            yield f"called {name}, which is forbidden"
        if way.no_repeats:
            yield from (f"the same call twice: {call}" for call in _repeated(made))


def _order(wanted: Mapping[str, Any], made: Sequence[str]) -> Iterator[str]:
    """Why the names of the calls are not in the order that was asked for."""
    exact, in_order, any_order = (wanted.get(order) for order in ORDERS)
    found = ", ".join(made) or "no call"
    if exact is not None and list(made) != exact:
        yield f"expected {', '.join(exact) or 'no call'}, found {found}"
    if in_order is not None:
        partners = paired_in_order(len(in_order), len(made), lambda target, place: in_order[target] == made[place])
        missing = [name for name, place in zip(in_order, partners, strict=True) if place is None]
        if missing:
            yield f"expected {', '.join(in_order)} in this order, found {found}"
    if any_order is not None:
        missing = list((Counter(any_order) - Counter(made)).elements())
        if missing:
            yield f"never called {', '.join(missing)}; found {found}"


def _repeated(made: Sequence[MadeCall]) -> Iterator[MadeCall]:
    """The calls that an earlier one equals, each once for each time."""
    seen: set[tuple[str, str]] = set()
    for call in made:
        one = (call.name, call.written if call.arguments is None else text_of(call.arguments))
        if one in seen:
            yield call
        seen.add(one)
