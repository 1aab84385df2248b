"""`tool_calls`: the model called the functions that it was meant to call, with the right arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, ValidationInfo, model_validator

from snapdrift.errors import SnapdriftError
from snapdrift.graders.arguments import Argument, one_or_more, plain_json
from snapdrift.graders.base import Grader
from snapdrift.graders.extract import Extraction
from snapdrift.graders.field_comparers import Comparer, versions_of
from snapdrift.graders.made_calls import ArgumentMatch, ArgumentRules, MadeCall, ToolSchemas, WantedCall
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.matching import paired, paired_in_order
from snapdrift.graders.schema import checked_schema
from snapdrift.graders.values import quoted, shortened
from snapdrift.graders.workspace_files import FoundError, document_named
from snapdrift.graders.written_calls import written_calls
from snapdrift.model import Case, MetricSpec, Reason, Response, ScoreKind, sha256
from snapdrift.suites.requests import flat_tool

_SHOWN_ARGUMENTS = 200


def _read_tools(value: Any, info: ValidationInfo) -> Any:
    tools = document_named(value, info) if isinstance(value, str) else value
    if not isinstance(tools, list | tuple):
        return tools
    return [_with_parameters(flat_tool(tool), info) for tool in tools]


def _with_parameters(tool: Any, info: ValidationInfo) -> Any:
    """A tool by its name and parameters: what else its definition says is for the model."""
    if not isinstance(tool, Mapping) or not isinstance(tool.get("name"), str):
        raise ValueError(f"tools as `request.tools` has them, with names; {quoted(tool)} has none")  # noqa: TRY004  pydantic
    parameters = tool.get("parameters") or {}
    return {
        "name": tool["name"],
        "parameters": document_named(parameters, info) if isinstance(parameters, str) else parameters,
    }


def _checked_tools(tools: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    if not tools:
        raise ValueError("at least one tool")
    for tool in tools:
        checked_schema(plain_json(tool["parameters"]))
    return tools


Tools = Annotated[
    tuple[dict[str, Any], ...],
    AfterValidator(_checked_tools),
    BeforeValidator(_read_tools, json_schema_input_type=str | list[dict[str, Any]]),
]


@dataclass(frozen=True, slots=True)
class _Compared:
    """What the calls came to: the expected ones that were not made, those made that should not have been."""

    missing: tuple[WantedCall, ...]
    extra: tuple[MadeCall, ...]
    forbidden: tuple[str, ...]
    unread: tuple[MadeCall, ...]
    matched: int

    @property
    def right(self) -> bool:
        """Whether all is as it was expected."""
        return not (self.missing or self.extra or self.forbidden or self.unread)

    @property
    def f1(self) -> float:
        """2 x matched / (expected + made); 1 where no call was expected and none made."""
        expected_and_made = 2 * self.matched + len(self.missing) + len(self.extra)
        return 2 * self.matched / expected_and_made if expected_and_made else 1.0


class ToolCalls(Grader):
    """Compares the calls of an answer with the expected ones: a list of `{name, arguments}`, empty for no call.

    Every expected call has to be made once and no other (unless `extra_calls`), in any order unless `ordered`, and none
    that is `forbidden`. `name.f1` is the F1 over the calls: 2 x matched / (expected + made).

    `arguments: subset` lets a call have more arguments than are expected, `schema` wants them valid by the tool's own
    `parameters`, whatever is expected, `ignore` looks at the names only. A call without `arguments` takes any; its
    `one_of` lists by argument the values of which one will do, and `match` says by argument how it is compared, as
    fields are in `json_equal`. The `step` that a call may have in an answer key of the stand-in says nothing here:
    `ordered` compares the order.
    """

    family: ClassVar[str] = "tool_calls"
    family_version: ClassVar[int] = 2
    reads_text: ClassVar[bool] = False
    templated: ClassVar[tuple[str, ...]] = ("tool_calls",)
    unscored: ClassVar[str] = (
        "Nothing is unextracted. A call whose arguments are no JSON object fails the answer as `invalid_arguments`; an "
        "answer that makes no call but writes one out fails as `tool_call_as_text`. An expected value that is no list "
        "of calls is a grader error."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: ""
calls: [{name: lookup_order, arguments: '{"order": "5521", "verbose": true}'}]
expected: [{name: lookup_order, arguments: {order: "5521"}}]
grader: {name: tools, tool_calls: "{{ expected }}", arguments: subset}
""",
        """\
answer: ""
calls:
  - {name: weather, arguments: '{"city": "paris", "days": 3.2}'}
  - {name: weather, arguments: '{"city": "Rome", "days": 1}'}
expected:
  - {name: weather, arguments: {days: 1}, one_of: {city: [Rome, Roma]}}
  - {name: weather, arguments: {city: Paris, days: 3}}
grader:
  name: tools
  tool_calls: "{{ expected }}"
  match: {city: casefold, days: {number: 0.5}}
  forbidden: [send_mail]
""",
        """\
answer: ""
calls: [{name: lookup_order, arguments: '{"order": 5521}'}]
passes: false
grader:
  name: valid_calls
  tool_calls: [{name: lookup_order}]
  arguments: schema
  tools:                                 # or the file that `request.tools` names
    - name: lookup_order
      parameters: {type: object, properties: {order: {type: string}}, required: [order]}
""",
    )

    tool_calls: Argument = Field(
        description="The expected calls: a list of {name, arguments, one_of}; [] expects none."
    )
    arguments: ArgumentMatch = Field(
        default=ArgumentMatch.EQUAL, description="How arguments are compared: `equal`, `subset`, `schema` or `ignore`."
    )
    ordered: StrictBool = Field(default=False, description="Whether the order of the calls matters.")
    match: dict[str, Comparer] = Field(
        default_factory=dict, description="How single arguments are compared, by name, as fields of `json_equal` are."
    )
    tools: Tools | None = Field(
        default=None, description="With `arguments: schema`: the tools, as `request.tools` has them, or their file."
    )
    forbidden: Annotated[tuple[str, ...], BeforeValidator(one_or_more, json_schema_input_type=str | list[str])] = Field(
        default=(), description="Tools that must not be called."
    )
    extra_calls: StrictBool = Field(
        default=False, description="Whether calls beyond the expected ones may be made; they do not count in the F1."
    )

    @model_validator(mode="after")
    def _tools_go_with_schema(self) -> Self:
        if (self.tools is not None) is not (self.arguments is ArgumentMatch.SCHEMA):
            found = f"`arguments: {self.arguments.value}` {'without' if self.tools is None else 'with'} `tools`"
            raise FoundError(found, "expected `tools`, which have the schemas, exactly with `arguments: schema`")
        return self

    @cached_property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """Whether the calls are right, and the F1 over them."""
        return (self._metric(self.name, self.kind), self._metric(self._f1, ScoreKind.GRADED))

    @cached_property
    def version(self) -> str:
        """As for every grader; the versions of the families that compare arguments are settings of this one."""
        versions = sorted(version for way in self.match.values() for version in versions_of(way))
        plain = super().version
        return plain if not versions else f"{plain.rpartition(':')[0]}:{sha256([plain, *versions])[:12]}"

    @property
    def _f1(self) -> str:
        return f"{self.name}.f1"

    @cached_property
    def _schemas(self) -> ToolSchemas:
        return ToolSchemas(self.tools or ())

    def value_in(self, response: Response) -> Extraction:
        """The calls as JSON, arguments read where they are JSON; of several steps, the calls of all in order."""
        return Extraction([MadeCall.of(call).shown for call in response.tool_calls], 0)

    def check_case(self, case: Case) -> str | None:
        """An expected value that is no list of calls, or arguments that can be compared with nothing."""
        try:
            wanted = self._wanted(case)
        except CannotGradeError as error:
            return str(error)
        both = next((call.name for call in wanted if call.name in self.forbidden), None)
        if both is not None:
            return f"the call {both} is expected and forbidden"
        return next((told for call in wanted if (told := self._rules(case).problem(call)) is not None), None)

    def marks_of(self, case: Case, response: Response, value: Any) -> Mapping[str, Mark]:
        """Compares the calls that were made with the expected ones."""
        del value
        made = [MadeCall.of(call) for call in response.tool_calls]
        found = self._compared(case, self._wanted(case), made)
        if found.right:
            return {self.name: Mark.of(passed=True), self._f1: Mark.of(passed=True)}
        written = () if made or not found.missing else written_calls(response.text)
        if written:
            reason, detail = Reason.TOOL_CALL_AS_TEXT, _as_text([MadeCall.of(call) for call in written])
        elif found.unread:
            reason, detail = Reason.INVALID_ARGUMENTS, _no_object(found.unread[0])
        else:
            reason, detail = Reason.WRONG, self._difference(found)
        mark = Mark(0.0, passed=False, reason=reason, detail=detail, evidence=self._evidence(found, made))
        share = replace(mark, value=found.f1, reason=Reason.WRONG if found.f1 else reason)
        return {self.name: mark, self._f1: share}

    def tools_named(self, case: Case) -> tuple[str, ...]:
        """The expected and the forbidden tools; of a case that cannot be graded only those."""
        try:
            wanted = self._wanted(case)
        except (CannotGradeError, SnapdriftError):
            wanted = []
        return (*(call.name for call in wanted), *self.forbidden)

    def _wanted(self, case: Case) -> list[WantedCall]:
        written = self.rendered("tool_calls", case)
        if not isinstance(written, list):
            raise CannotGradeError(f"the expected calls {quoted(written)} are no list of {{name, arguments}}")
        return [WantedCall.of(entry) for entry in written]

    def _rules(self, case: Case) -> ArgumentRules:
        return ArgumentRules(self.arguments, self.match, self._schemas, case)

    def _compared(self, case: Case, wanted: Sequence[WantedCall], made: Sequence[MadeCall]) -> _Compared:
        rules = self._rules(case)
        pair = paired_in_order if self.ordered else paired
        partners = pair(len(wanted), len(made), lambda target, place: rules.fits(wanted[target], made[place]))
        taken = set(partners)
        forbidden = [call.name for call in made if call.name in self.forbidden]
        return _Compared(
            missing=tuple(call for call, place in zip(wanted, partners, strict=True) if place is None),
            extra=tuple(
                call
                for place, call in enumerate(made)
                if place not in taken and (not self.extra_calls or call.name in self.forbidden)
            ),
            forbidden=tuple(dict.fromkeys(forbidden)),
            unread=tuple(call for call in made if call.arguments is None),
            matched=sum(place is not None for place in partners),
        )

    def _difference(self, found: _Compared) -> str:
        parts = [f"called {name}, which is forbidden" for name in found.forbidden]
        extra = [call for call in found.extra if call.name not in self.forbidden]
        if not found.missing and not found.matched and extra:
            return "; ".join([*parts, f"expected no call, found {_listed(extra)}"])
        if found.missing:
            parts.append(f"expected {_listed(found.missing)}")
        if extra:
            parts.append(f"found {_listed(extra)}")
        elif found.missing:
            parts.append("found no such call")
        invalid = [why for call in extra for why in self._violations(call)]
        return ", ".join(parts) + (f" ({'; '.join(invalid)})" if invalid else "")

    def _violations(self, call: MadeCall) -> tuple[str, ...]:
        return self._schemas.violations(call) if self.arguments is ArgumentMatch.SCHEMA else ()

    def _evidence(self, found: _Compared, made: Sequence[MadeCall]) -> tuple[str, ...]:
        """The calls as they were made, and what is wrong with those that were not expected."""
        invalid = [why for call in found.extra if call.arguments is not None for why in self._violations(call)]
        return (*(quoted(call.shown) for call in made), *invalid)


def _as_text(calls: Sequence[MadeCall]) -> str:
    what = "a call is written as text instead of made" if len(calls) == 1 else "calls are written as text, not made"
    return f"{what}: {_listed(calls)}"


def _no_object(call: MadeCall) -> str:
    return f"the arguments of {call.name} are no JSON object: {shortened(call.written, _SHOWN_ARGUMENTS)}"


def _listed(calls: Sequence[WantedCall] | Sequence[MadeCall]) -> str:
    return "; ".join(map(str, calls))
