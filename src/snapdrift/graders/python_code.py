"""`python`: a function of the workspace grades the answer.

The grader calls nothing itself: `needs` says what to call, `read` makes a score of what came back. Loading a suite
reads the function's file and never runs it.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationInfo,
)

from snapdrift.graders.arguments import plain_json
from snapdrift.graders.base import Grader
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.needs import NOTHING_SEEN, CodeCall, CodeFile, CodeResult, Got, Need, Seen
from snapdrift.graders.scoring import grade, scores_of
from snapdrift.graders.user_scores import Measured, mark_of
from snapdrift.graders.workspace_files import FoundError, text_named
from snapdrift.model import Case, MetricSpec, Response, Score, ScoreKind
from snapdrift.suites.applications import definition_of
from snapdrift.suites.registry import Location
from snapdrift.suites.tool_results import PythonFunction
from snapdrift.suites.workspace import PathError

LONGEST_S = 600.0
_FORM = "expected PATH.py:FUNCTION, such as graders/tone.py:grade"
_TAKES = "expected a function that takes (case, response)"


def _checked_target(text: str) -> str:
    if PythonFunction.parse(text) is None:
        raise FoundError(f'"{text}"', _FORM)
    return text


class FunctionSource(BaseModel):
    """A function as a suite keeps it: where it is, and what its file was when the suite was loaded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Annotated[str, AfterValidator(_checked_target)]
    sha256: str
    returns_bool: StrictBool = False
    parameters: tuple[str, ...] | None = None
    """The names that may be given as `args`, None where any may be, or where it cannot be told."""
    required: tuple[str, ...] = ()
    """Those of them that have to be."""


def _found(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    target = PythonFunction.parse(value)
    if target is None:
        raise FoundError(f'"{value}"', _FORM)
    source = text_named(target.path, info)
    try:
        definition = definition_of(target, source)
    except PathError as error:
        raise FoundError(error.found, error.expected) from None
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
    source_of = {"target": value, "sha256": digest}
    if definition is None or definition.decorator_list:  # what it takes cannot be read off
        return source_of
    returns = definition.returns
    written = returns.id if isinstance(returns, ast.Name) else getattr(returns, "value", None)
    returns_bool = written == "bool"
    return {**source_of, "returns_bool": returns_bool, **_parameters(target, definition.args)}


def _parameters(target: PythonFunction, takes: ast.arguments) -> dict[str, Any]:
    """What it takes besides case and response. Raises `FoundError` where it does not take those."""
    positional = [argument.arg for argument in (*takes.posonlyargs, *takes.args)]
    if len(positional) < 2 and takes.vararg is None:
        raise FoundError(f"{target} takes ({', '.join(positional)})", _TAKES)
    further = positional[2:]
    without_default = further[: max(0, len(further) - len(takes.defaults))]
    unnamed = {argument.arg for argument in takes.posonlyargs}
    if unnamed & set(without_default):
        raise FoundError(f"{target} takes ({', '.join(positional)}, /)", _TAKES)
    named = zip(takes.kwonlyargs, takes.kw_defaults, strict=True)
    required = [*without_default, *(argument.arg for argument, default in named if default is None)]
    known = [*(name for name in further if name not in unnamed), *(argument.arg for argument in takes.kwonlyargs)]
    return {"parameters": None if takes.kwarg is not None else known, "required": required}


def _arguments(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    source = info.data.get("python")
    if isinstance(source, FunctionSource):
        known = source.parameters
        odd = [name for name in value if not name.isidentifier() or (known is not None and name not in known)]
        lacking = [name for name in source.required if name not in value]
        has = "none: it takes a case and a response only" if not known else f"arguments among {', '.join(known)}"
        if odd:
            raise FoundError(f"{source.target} takes no {odd[0]!r}", f"expected {has}")
        if lacking:
            raise FoundError(f"no {lacking[0]!r}, which {source.target} needs", f"expected `{lacking[0]}: VALUE`")
    return plain_json(value)  # type: ignore[no-any-return]


class PythonGrader(Grader):
    """Calls a function of the workspace as `FUNCTION(case, response)`, which returns a `Score`, a bool or a number.

    The function may be `async`. What it raises, a time-out and a result that scores nothing are grader errors. A
    function that says `-> bool` is a pass/fail metric, any other is graded; `kind` says otherwise. Running a suite with
    such a grader runs that code; `--no-code` refuses it.
    """

    family: ClassVar[str] = "python"
    reads_text: ClassVar[bool] = False
    unscored: ClassVar[str] = (
        "What the function returns as `Score.not_extracted(...)` counts as not extracted. It is a grader error when "
        "the function returns `Score.cannot_grade(...)`, raises, takes longer than `timeout`, or returns anything else "
        "than a `Score`, a bool or a number from 0 to 1."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
files:
  graders/length.py: |
    from snapdrift import Case, Response, Score

    def brief(case: Case, response: Response, most: int = 20) -> Score:
        words = len(response.text.split())
        return Score(min(1.0, most / max(1, words)), reason=f"{words} words, at most {most}")
answer: It ships on Monday.
grader: {name: brief, python: graders/length.py:brief, args: {most: 5}, at_least: 0.9}
""",
    )

    python: Annotated[FunctionSource, BeforeValidator(_found, json_schema_input_type=str)] = Field(
        description="PATH.py:FUNCTION, a function in a file of the workspace."
    )
    args: Annotated[dict[str, Any], AfterValidator(_arguments)] = Field(
        default_factory=dict, validate_default=True, description="Further keyword arguments of the function."
    )
    measures: ScoreKind | None = Field(
        default=None,
        alias="kind",
        description="pass_fail or graded; by default pass_fail for a function that says `-> bool`, else graded.",
    )
    at_least: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0, description="The value at which it passes, where the function does not say whether."
    )
    timeout: Annotated[float, Field(gt=0, le=LONGEST_S)] = Field(
        default=60.0, description="Seconds that one call may take, up to 600."
    )

    @cached_property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """One metric of the kind that is written, or that the function's annotation says."""
        return (self._metric(self.name, self._measured.kind),)

    @cached_property
    def _measured(self) -> Measured:
        by_annotation = ScoreKind.PASS_FAIL if self.python.returns_bool else ScoreKind.GRADED
        return Measured(self.measures or by_annotation, self.at_least)

    @property
    def code(self) -> Mapping[Location, CodeFile]:
        """The one function."""
        return {("python",): CodeFile(self.python.target, self.python.sha256)}

    def needs(self, case: Case, response: Response, seen: Seen = NOTHING_SEEN) -> Mapping[str, Need]:
        """The one call about the response."""
        del seen
        if not self.applies(case) or response.outcome not in self.accepts:
            return {}
        return {"": CodeCall(self.python.target, case, response, self.args, self.timeout)}

    def marks(self, case: Case, value: Any) -> Mapping[str, Mark]:
        """Without a call there is nothing to say."""
        del value
        raise CannotGradeError(f"{self.python.target} was not called about {case.id}")

    def read(self, case: Case, response: Response, got: Got, seen: Seen = NOTHING_SEEN) -> tuple[Score, ...]:
        """The score that the function's result gives."""
        result = got.get("")
        if not isinstance(result, CodeResult) or not self.needs(case, response, seen):
            return grade(self, case, response)
        if result.error:
            mark = replace(Mark.error(result.error), evidence=result.traceback)
        else:
            mark = mark_of(self.python.target, result.value, self._measured)
        return scores_of(self, response, mark)
