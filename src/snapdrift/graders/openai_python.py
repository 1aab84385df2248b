"""OpenAI's `python` grader, `grade(sample, item) -> float`, as a file for a `python` grader of ours."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.graders.openai_templates import NoEquivalentError

FUNCTION = "graded_by_snapdrift"
SOURCE_LIMIT = 256 * 1024
"""Bytes of a source that OpenAI takes (API reference, graders)."""

_ADAPTER = '''

def {function}(case, response):
    """Calls `grade` above with what it was written for: the sample and the row of the data."""
    import json

    def parsed(text):
        try:
            return json.loads(text)
        except ValueError:
            return None

    calls = [
        {{"id": call.call_id, "type": "function", "function": {{"name": call.name, "arguments": call.arguments}}}}
        for call in response.tool_calls
    ]
    message = {{"role": "assistant", "content": response.text, "refusal": response.refusal, "tool_calls": calls}}
    sample = {{
        "output_text": response.text,
        "output_json": parsed(response.text),
        "output_tools": calls,
        "choices": [{{"index": 0, "message": message, "finish_reason": response.finish_reason}}],
        "model": response.returned_model,
    }}
    item = {{**case.variables, "expected": case.expected}}
{renamed}    return grade(sample, item)
'''


@dataclass(frozen=True, slots=True)
class AdaptedSource:
    """The text of a file, the function in it to be named, and what its reader should know."""

    source: str
    function: str
    notes: tuple[str, ...]


def adapted(source: str, image_tag: Any, renamed: Mapping[str, str]) -> AdaptedSource:
    """The source with a function under it that takes a case and a response. Raises `NoEquivalentError`.

    The source is parsed, never run. `renamed` are columns that are called otherwise as case variables.
    """
    if len(source.encode("utf-8", "surrogatepass")) > SOURCE_LIMIT:
        raise NoEquivalentError(f"`source` is longer than {SOURCE_LIMIT:,} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NoEquivalentError(f"`source` is no Python: {error}") from None
    if not any(_is_grade(node) for node in tree.body):
        raise NoEquivalentError("`source` has no function grade(sample, item)")
    notes = ["the code runs in this process and not in OpenAI's sandbox; read it, `--no-code` refuses it"]
    notes.append("`grade` has to return a number from 0 to 1; anything else is a grader error")
    foreign = sorted({module for module in _imported(tree) if module not in sys.stdlib_module_names})
    if foreign:
        where = f" (the original ran in the image {image_tag})" if image_tag else ""
        notes.append(f"it imports {', '.join(foreign)}, which must be installed{where}")
    code = _ADAPTER.format(function=FUNCTION, renamed="".join(_renaming(renamed)))
    return AdaptedSource(source.rstrip() + "\n" + code, FUNCTION, tuple(notes))


def _is_grade(node: ast.stmt) -> bool:
    if not isinstance(node, ast.FunctionDef) or node.name != "grade":
        return False
    return len(node.args.posonlyargs) + len(node.args.args) >= 2 or node.args.vararg is not None


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def _renaming(renamed: Mapping[str, str]) -> Iterator[str]:
    for column, variable in renamed.items():
        first, *rest = variable.split(".")
        place = f"item[{first!r}]" + "".join(f"[{step!r}]" for step in rest)
        yield f"    item[{column!r}] = {place}\n"
