"""The reference page of the graders, made of their classes: `python -m snapdrift.graders.reference`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from snapdrift.graders.base import Grader
from snapdrift.graders.examples import Example, read_example
from snapdrift.graders.families import all_families
from snapdrift.graders.registry import Registry
from snapdrift.model import MetricSpec, Outcome, ScoreKind
from snapdrift.suites.workspace import PathError

_HEAD = """\
# Graders

This page is made of the grader classes (`python -m snapdrift.graders.reference`), and each of its examples is run by a
test. Why graders are as they are: [the design](../design/graders.md). How a suite names them: [the
reference](../reference.md#graders).

An entry of `graders:` is `{name, FAMILY: ARGUMENT, ...}` with exactly one family. Any text in a family's main
argument may be a template over the case (`"{{ expected.queue }}"`).
"""

_OUTCOMES = """\
### What becomes of an answer

1. The grader does not apply to the case (`when`), or the call failed, is missing or was not needed: no score.
2. The call ended in a way that is not among `accepts`: 0, *not accepted*.
3. No step of `extract` yields a value: 0, *unextracted*; *invalid JSON* where each of them wanted JSON and there
   is none.
4. The family judges the value: *passed* or *wrong* (`schema`: *schema violation*). `not: true` turns this round, and
   nothing else.
5. The grader is at fault (a pattern out of time, an expected value that it cannot read, a judge that gave no verdict):
   *grader error*, without a value. It is unmeasured: never a pass, never a zero, and counted against coverage.

Outcomes that can be accepted: OUTCOMES.

### Versions

A score bears `family/version:settings-hash`. The hash covers the arguments with defaults applied and files inlined, but
neither `name` nor `when`. Scores of different versions are not compared: `snapdrift grade RUN` makes them anew from the
stored answers.
"""

_EXTRACT = """\
### Extract

One step, or a list of which the first that yields a value wins ([all steps](../reference.md#extract)):

```yaml
extract:
  - {json: answer, mode: first_object}    # strict (default): all of it is JSON; fenced: one code fence is removed first
  - {regex: '"answer"\\s*:\\s*"([^"]*)"'}   # group 1, or the whole match where there is no group; all: true for a list
  - last_line                             # also first_line, whole_text, and fenced: all of it without one code fence
```
"""

_SHARED_TYPES = {
    "extract": "a step, or a list of steps",
    "when": "`{tag: x}` or `{tags: [x, y]}`",
    "accepts": "list of outcomes",
}
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}


def render_reference(families: Sequence[type[Grader]] | None = None) -> str:
    """The page as Markdown: what all graders share, then each family in order; None: those of this program."""
    families = all_families() if families is None else families
    schemas = Registry(families).json_schema()["anyOf"]
    outcomes = ", ".join(f"`{outcome.value}`" for outcome in Outcome if outcome.measured)
    index = " · ".join(f"[`{family.family}`](#{family.family})" for family in families)
    parts = [_HEAD, f"{index}\n", "## What all share\n", _shared(schemas[0]["properties"]), _EXTRACT]
    parts.append(_OUTCOMES.replace("OUTCOMES", outcomes))
    for family, schema in zip(families, schemas, strict=True):
        parts.append("\n".join(_family(family, schema, families)))
    return "\n".join(parts)


def _shared(properties: Mapping[str, Any]) -> str:
    keys = [(field.alias or name, field) for name, field in Grader.model_fields.items()]
    rows = []
    for key, field in keys:
        kind = _SHARED_TYPES.get(key) or yaml_type(properties[key])
        default = {"name": "the family", "extract": "the suite's, else `whole_text`"}.get(key)
        rows.append((f"`{key}`", kind, default or _default(properties[key]), field.description or ""))
    return _table(("argument", "is", "default", "meaning"), rows)


def _family(family: type[Grader], schema: Mapping[str, Any], families: Sequence[type[Grader]]) -> Iterator[str]:
    yield f"## {family.family}\n"
    yield f"{inspect.getdoc(family)}\n"
    yield _table(("argument", "is", "default", "meaning"), list(_arguments(family, schema)))
    yield f"Measures: {_measures(family, families)}\n"
    yield f"Not extracted, not graded: {family.unscored}\n"
    for text in family.examples:
        yield "This answer passes:\n" if read_example(text).passes else "This answer fails:\n"
        yield f"```yaml\n{text.rstrip()}\n```\n"


def _arguments(family: type[Grader], schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """The family's own arguments with the keys below them that say what they are, and shared ones that differ."""
    differing = []
    for name, field in family.model_fields.items():
        key = field.alias or name
        properties = schema["properties"][key]
        shared = Grader.model_fields.get(name)
        if shared is None:
            yield f"`{key}`", yaml_type(properties), _default(properties), field.description or ""
            yield from _below(key, field, properties)
        elif family.reads_text and shared.default != field.default:
            kind = _SHARED_TYPES.get(key) or yaml_type(properties)
            differing.append((f"`{key}`", kind, _default(properties), "As for all."))
    yield from differing


def _below(key: str, field: FieldInfo, schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """The keys of the mappings that the argument may be, as far as they have a description of their own."""
    told = {
        below.alias or name: below.description
        for model in _models_in(field.annotation)
        for name, below in model.model_fields.items()
        if below.description and name not in getattr(model, "refused", ())
    }
    for one in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        for name, properties in one.get("properties", {}).items():
            if name in told:
                yield f"`{key}.{name}`", yaml_type(properties), _default(properties), told.pop(name)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _measures(family: type[Grader], families: Sequence[type[Grader]]) -> str:
    """What the scores are, and the metrics of an example that has several."""
    metrics = example_grader(read_example(family.examples[0]), families).metrics if family.examples else ()
    kinds = {metric.kind for text in family.examples for metric in _heads(text, families)} or {family.kind}
    low, high = metrics[0].scale if metrics and metrics[0].pairwise else (0, 1)
    graded = f"a value from {low:g} to {high:g}"
    words = {ScoreKind.PASS_FAIL: "pass or fail", ScoreKind.GRADED: graded}
    kind = ", or ".join(word for one, word in words.items() if one in kinds)
    better = "higher" if family.higher_is_better else "lower"
    told = [
        f"{kind}, {better} is better, differences in {family.unit.removeprefix('in ')}",
        *(["judged by a model"] if family.judged else []),
    ]
    if len(metrics) > 1:
        less = [f"`{one.name}`" for one in metrics if not one.higher_is_better]
        of_less = f"; of {', '.join(less)} less is better" if less else ""
        told.append(f"several metrics (of the first example {', '.join(f'`{one.name}`' for one in metrics)}{of_less})")
    return "; ".join(told) + "."


def _heads(text: str, families: Sequence[type[Grader]]) -> tuple[MetricSpec, ...]:
    """The metric that bears the grader's name, of an example."""
    return example_grader(read_example(text), families).metrics[:1]


def example_grader(example: Example, families: Sequence[type[Grader]] | None = None) -> Grader:
    """The grader of an example. Raises `InvalidEntryError` for an entry that is wrong."""

    def read(path: str) -> str:
        if path not in example.files:
            raise PathError(f"no file {path}", "expected a file under `files:` of the example")
        return example.files[path]

    return Registry(families).parse(example.grader, default_extract=None, read=read, cases=[example.case])


def yaml_type(schema: Mapping[str, Any]) -> str:
    """A JSON Schema in the words of YAML: `text`, `list of text or number`, `one of `a`, `b``."""
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    if "anyOf" in schema or "oneOf" in schema:
        return _alternatives([yaml_type(one) for one in schema.get("anyOf", schema.get("oneOf", ()))])
    kind = schema.get("type")
    if kind == "array":
        item = yaml_type(schema.get("items", {}))
        return f"list of {item}" if item != "any value" else "list"
    if kind == "object":
        return _mapping(schema)
    return _TYPES.get(kind or "", "any value")


def _alternatives(kinds: Sequence[str]) -> str:
    """`text, or a list of it` for text and list of text; null is what is not given."""
    told = []
    for kind in dict.fromkeys(kinds):
        if f"list of {kind}" in kinds:
            told.append(f"{kind}, or a list of it")
        elif kind != "null" and kind.removeprefix("list of ") not in set(kinds) - {kind}:
            told.append(kind)
    return " or ".join(told)


def _mapping(schema: Mapping[str, Any]) -> str:
    if "properties" in schema:
        return f"`{{{', '.join(schema['properties'])}}}`"
    values = schema.get("additionalProperties")
    kind = yaml_type(values) if isinstance(values, dict) else "any value"
    return "mapping" if kind == "any value" else f"mapping to {kind}"


def _default(schema: Mapping[str, Any]) -> str:
    value = schema.get("default")
    return "" if value is None else f"`{_flow(value)}`"


def _flow(value: Any) -> str:
    """A value as YAML writes it on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return f'"{text}"' if isinstance(value, str) and not text.replace("_", "").isalnum() and text != "$" else text


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_reference())
