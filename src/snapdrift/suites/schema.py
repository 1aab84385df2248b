"""The JSON Schema of a suite file, from which editors complete and check while it is written."""

from __future__ import annotations

import json
from typing import Any

from snapdrift.suites.registry import GraderRegistry
from snapdrift.suites.suite import RequestSettings, SuiteFile

_REF = "#/$defs/{model}"
_GRADER_DEFS = "grader."


def suite_json_schema(registry: GraderRegistry) -> dict[str, Any]:
    """The schema (2020-12) of `SuiteFile`, with the entries of the graders that `registry` knows."""
    suite = json.dumps(SuiteFile.model_json_schema(by_alias=True, ref_template=_REF))
    schema: Any = _plain(
        json.loads(suite.replace('"$comment": "RequestSettings"', '"$ref": "#/$defs/RequestSettings"'))
    )
    request = RequestSettings.model_json_schema(by_alias=True, ref_template=_REF)
    prompt = json.loads(suite)["$defs"]["PromptEntry"]  # here too null says something: leave it out
    entry, definitions = _grader_entry(registry)
    schema["$defs"] |= {"RequestSettings": request, "PromptEntry": prompt} | definitions
    schema["properties"]["graders"] = {"type": "array", "minItems": 1, "items": entry}
    schema["properties"]["cases"] = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
    }
    schema["anyOf"] = [{"required": ["dataset"]}, {"required": ["cases"]}]
    schema["required"] = ["suite", "graders"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Snapdrift suite",
        "description": "What is asked, of which variants, how answers are graded and what counts as a regression.",
        **{key: value for key, value in schema.items() if key not in ("title", "description")},
    }


def _plain(schema: Any) -> Any:
    """Without what pydantic says of optional keys (`anyOf` with null, defaults of null, titles): editors show it."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _plain(value) for key, value in schema.items() if not _is_noise(key, value)}
    choices = [choice for choice in made.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        del made["anyOf"]
        made |= choices[0]
    return made


def _is_noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def _grader_entry(registry: GraderRegistry) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of one grader and its definitions, renamed so that they cannot clash with the suite's."""
    text = json.dumps(registry.json_schema()).replace('"#/$defs/', f'"#/$defs/{_GRADER_DEFS}')
    text = text.replace('"$comment": "GraderEntry"', '"$ref": "#/properties/graders/items"')  # graders inside graders
    entry: dict[str, Any] = json.loads(text)
    entry.pop("$schema", None)
    definitions = entry.pop("$defs", {})
    return entry, {f"{_GRADER_DEFS}{name}": definition for name, definition in definitions.items()}
