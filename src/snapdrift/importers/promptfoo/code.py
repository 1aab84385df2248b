"""Python assertions as Python graders: the code is kept, never run here, with a function under it that calls it."""

from __future__ import annotations

import ast
import hashlib
import re
import textwrap
import warnings
from typing import Any

from snapdrift.importers.names import file_name
from snapdrift.importers.promptfoo.asserted import Asserted
from snapdrift.importers.promptfoo.nunjucks import UntranslatableError
from snapdrift.importers.sources import FILE_PREFIX, SourceError

FUNCTION = "graded_by_snapdrift"
SOURCE_LIMIT = 256 * 1024
_FILE = re.compile(r"(?:file://)?(?P<path>[^:\n]+\.py)(?::(?P<function>[A-Za-z_]\w*))?")
_ADAPTER = '''

def {function}(case, response):
    """Calls `{called}` above with the answer and the case's variables, and makes a score of what it returns."""
    from snapdrift import Score

    context = {{"vars": {{**case.variables, "expected": case.expected}}, "prompt": ""}}
    found = {called}(response.text, context)
    if isinstance(found, dict):
        passed = found.get("pass", found.get("pass_"))
        value = float(found.get("score", 1.0 if passed else 0.0))
        return Score(min(1.0, max(0.0, value)), passed=passed, reason=str(found.get("reason") or ""))
    return found
'''


def python_check(asserted: Asserted) -> dict[str, Any]:
    """The entry of a Python grader; its file is in the reading's files. Raises `UntranslatableError`."""
    written = asserted.written.get("value")
    if not isinstance(written, str) or not written.strip():
        raise UntranslatableError("it has no code")
    match = _FILE.fullmatch(written.strip())
    if match is not None:
        source, called = _of_file(asserted, match["path"]), match["function"] or "get_assert"
    else:
        source, called = _inline(written.removeprefix(FILE_PREFIX)), "get_assert"
    _check(source, called)
    path = f"graders/{file_name(match['path'] if match else 'inline')}-{_digest(source, called)}.py"
    asserted.reading.files[path] = source.rstrip() + "\n" + _ADAPTER.format(function=FUNCTION, called=called)
    asserted.note(f"its code is kept in {path} and runs in this process: read it; `--no-code` refuses it")
    return {"python": f"{path}:{FUNCTION}", "at_least": asserted.share(1.0) if asserted.threshold() else 1.0}


def _of_file(asserted: Asserted, path: str) -> str:
    try:
        return asserted.reading.source.text(asserted.reading.source.path(path))
    except SourceError as error:
        raise UntranslatableError(str(error)) from None


def _inline(code: str) -> str:
    """The code of an expression, or of several lines with `return`, as a function."""
    body = textwrap.dedent(code).strip()
    try:
        ast.parse(body, mode="eval")
        body = f"return {body}" if "\n" not in body else f"return (\n{body}\n)"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass  # several lines, whose `return` says what it gives
    head = "import json\nimport re\n\n\ndef get_assert(output, context):\n"
    return head + textwrap.indent(body, "    ") + "\n"


def _check(source: str, called: str) -> None:
    if len(source) > SOURCE_LIMIT:
        raise UntranslatableError(f"its code is longer than {SOURCE_LIMIT:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UntranslatableError(f"its code is no Python: {error}") from None
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == called]
    if not functions or len(functions[-1].args.args) < 2:
        raise UntranslatableError(f"its code has no function {called}(output, context)")


def _digest(source: str, called: str) -> str:
    return hashlib.sha256(f"{called}\0{source}".encode("utf-8", "replace")).hexdigest()[:8]
