"""`schema`: the answer is valid under a JSON Schema (draft 2020-12)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NoReturn

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, ValidationInfo

from snapdrift.graders.arguments import plain_json
from snapdrift.graders.base import Grader
from snapdrift.graders.extract import WHOLE_JSON, Alternatives
from snapdrift.graders.marks import CannotGradeError, Mark
from snapdrift.graders.paths import format_path
from snapdrift.graders.scoring import EVIDENCE_LIMIT
from snapdrift.graders.values import scrubbed, shortened, text_of
from snapdrift.graders.workspace_files import document_named
from snapdrift.model import Case, Reason
from snapdrift.suites.schema_steps import MAX_APPLIED, SchemaSteps

if TYPE_CHECKING:
    import jsonschema_rs

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_MESSAGE_LIMIT = 300
_TOO_MANY = (
    f"at one place of it over {MAX_APPLIED:,} parts apply, since parts that apply together refer to the same ones"
)
NOT_TOLD = "$: not valid; what is wrong takes too many steps to find out with this schema"
"""What is said of a value of which `CompiledSchema.errors` tells nothing."""


def _no_fetching(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is outside the schema and is not fetched; put it under $defs")


class CompiledSchema:
    """A schema ready to validate; no reference in it is ever fetched. Raises `ValueError` where one leads outside."""

    def __init__(self, schema: Any, *, formats: bool = False) -> None:
        import jsonschema_rs

        self._validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=formats, retriever=_no_fetching)
        self._steps = SchemaSteps(schema)
        # Where parts are used again for what is in a value, it depends on the value how often they apply.
        self._bounded, self._quick = self._steps.is_bounded(), self._steps.is_quick()
        self._schema = schema

    def is_valid(self, value: Any) -> bool:
        """Whether the value is valid. Raises `CannotGradeError` where that takes too many steps."""
        if not self._quick and not self._steps.fits(value, _matches):
            raise CannotGradeError(f"the schema takes too many steps on this answer: {_TOO_MANY}")
        return self._validator.is_valid(value)

    def errors(self, value: Any, most: int) -> list[jsonschema_rs.ValidationError]:
        """What is wrong with a value that is not valid, of which at most so much; nothing where it cannot be told.

        Raises `CannotGradeError` where a pattern may have been too slow, and that cannot be told.
        """
        if not self._bounded and not self._steps.fits(value, _matches):
            if '"pattern' in json.dumps(self._schema):
                raise CannotGradeError(f"the schema takes too many steps to say what is wrong: {_TOO_MANY}")
            return []
        return list(islice(self._validator.iter_errors(value), most))


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator({"pattern": pattern})


def _matches(pattern: str, name: str) -> bool:
    """Whether a property's name has a pattern in it, as the validator takes patterns."""
    try:
        return _pattern(pattern).is_valid(name)
    except ValueError:
        return True


def _loaded(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    return document_named(value, info)


def checked_schema(schema: Any) -> Any:
    """The schema, when it is a valid one of draft 2020-12. Raises `ValueError` with what was expected instead."""
    import jsonschema_rs

    if not isinstance(schema, dict | bool):
        raise ValueError("the path of a JSON Schema file, or a schema as a mapping")  # noqa: TRY004  pydantic catches ValueError
    if isinstance(schema, dict) and schema.get("$schema", _DRAFT).rstrip("#") != _DRAFT:
        raise ValueError(f'a schema of draft 2020-12; this one says "$schema": {json.dumps(schema["$schema"])}')
    try:
        jsonschema_rs.meta.validate(schema)
        CompiledSchema(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        place = format_path(error.instance_path) if isinstance(error, jsonschema_rs.ValidationError) else "$"
        message = shortened(str(getattr(error, "message", error)), _MESSAGE_LIMIT)
        raise ValueError(f"a valid JSON Schema (draft 2020-12); at {place}: {message}") from None
    except ValueError as error:
        raise ValueError(f"a valid JSON Schema (draft 2020-12); {shortened(str(error), _MESSAGE_LIMIT)}") from None
    if (finding := SchemaSteps(schema).finding) is not None:
        raise ValueError(
            f"{finding.expected.removeprefix('expected ')}; at {format_path(finding.location)}: {finding.found}"
        )
    return schema


class Schema(Grader):
    """Passes when the extracted JSON is valid under the schema; the evidence has the place of each violation.

    `schema` is a file of the workspace or the schema itself. A reference to anything outside it is never fetched.
    `format` is checked with `formats: true` only, as draft 2020-12 has it by default.
    """

    family: ClassVar[str] = "schema"
    reads_json: ClassVar[bool] = True
    unscored: ClassVar[str] = (
        "Text that is not JSON is `invalid_json`. JSON that the schema does not allow is judged: `schema_violation`. A "
        "pattern of the schema that is too slow on an answer is a grader error."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: '{"queue": "billing", "urgency": 2}'
grader:
  name: valid
  schema: {type: object, required: [queue], properties: {urgency: {type: integer, maximum: 3}}}
""",
        """\
answer: '{"urgency": 5}'
passes: false
grader:                                  # or a file: schema: graders/ticket.schema.json
  name: valid
  schema: {type: object, required: [queue], properties: {urgency: {type: integer, maximum: 3}}}
""",
    )

    document: Annotated[
        Any,
        AfterValidator(plain_json),
        AfterValidator(checked_schema),
        BeforeValidator(_loaded, json_schema_input_type=str | dict[str, Any]),
    ] = Field(alias="schema", description="A JSON Schema (draft 2020-12): a file's path, or inline.")
    formats: StrictBool = Field(default=False, description="Whether `format` (date, email) is checked.")
    extract: Alternatives = WHOLE_JSON

    @cached_property
    def _compiled(self) -> CompiledSchema:
        return CompiledSchema(self.document, formats=self.formats)

    def mark(self, case: Case, value: Any) -> Mark:
        """Validates the value."""
        try:
            if self._compiled.is_valid(value):
                return Mark.of(passed=True)
            errors = self._compiled.errors(value, EVIDENCE_LIMIT + 1)
        except UnicodeEncodeError:
            return self.mark(case, json.loads(scrubbed(text_of(value))))
        _raise_if_not_decided(errors)
        lines = tuple(f"{format_path(error.instance_path)}: {_message(error)}" for error in errors) or (NOT_TOLD,)
        more = f" and {len(lines) - 1 if len(lines) <= EVIDENCE_LIMIT else 'many'} more" if len(lines) > 1 else ""
        return Mark(0.0, passed=False, reason=Reason.SCHEMA_VIOLATION, detail=lines[0] + more, evidence=lines)

    def lacks_fields_only(self, value: Any) -> bool:
        """Whether all that is wrong with the value is that fields which the schema requires are not in it."""
        try:
            return _lacks_fields_only(self._compiled.errors(value, EVIDENCE_LIMIT + 1))
        except UnicodeEncodeError:
            return self.lacks_fields_only(json.loads(scrubbed(text_of(value))))


def _lacks_fields_only(errors: Iterable[jsonschema_rs.ValidationError]) -> bool:
    """Whether some field is missing and nothing else is wrong. A field by another name is missing and superfluous."""
    kinds = {error.kind.name for error in errors}
    return "required" in kinds and kinds <= {"required", "additionalProperties", "unevaluatedProperties"}


def _message(error: jsonschema_rs.ValidationError) -> str:
    return shortened(error.message, _MESSAGE_LIMIT)


def _raise_if_not_decided(errors: Iterable[jsonschema_rs.ValidationError]) -> None:
    for error in errors:
        if error.kind.name == "backtrackLimitExceeded" or "limit for backtracking" in error.message:
            raise CannotGradeError(f"a pattern of the schema is too slow on this answer: {_message(error)}")
