"""The user's own code or answers in place of a model, and Python fakes in place of tools: found, hashed, never run."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from snapdrift.errors import DatasetError
from snapdrift.model import Case, Endpoint
from snapdrift.suites.loading import Loading
from snapdrift.suites.outputs import Outputs, read_outputs
from snapdrift.suites.registry import Location
from snapdrift.suites.suite import VariantEntry
from snapdrift.suites.tool_results import PythonFunction, python_functions
from snapdrift.suites.wording import did_you_mean, listed, quoted
from snapdrift.suites.workspace import PathError, Workspace, read_text

_SENSELESS = ("model", "endpoint", "host", "request", "stream", "batch")
"""Keys of a variant that say how a model is asked."""


def is_application(entry: VariantEntry) -> bool:
    """Whether the variant asks no model."""
    return entry.python is not None or entry.outputs is not None


def application_endpoint(entry: VariantEntry, location: Location, loading: Loading) -> Endpoint:
    """Which kind it is; complains about keys that make no sense beside it."""
    kind = Endpoint.PYTHON if entry.python is not None else Endpoint.OUTPUTS
    if entry.python is not None and entry.outputs is not None:
        loading.complain((*location, "outputs"), "both python and outputs", "expected one of them", key=True)
    for key in _SENSELESS:
        if getattr(entry, key) is not None:
            expected = "leave it out: no model is asked" if key != "model" else _MODEL[kind]
            loading.complain((*location, key), f"{key} beside {kind.value}", expected, key=True)
    return kind


_MODEL = {
    Endpoint.PYTHON: "leave it out: the application says which model it asked",
    Endpoint.OUTPUTS: "leave it out: the column `model` of the file says it",
}


def function_hash(text: str, location: Location, loading: Loading) -> str | None:
    """The SHA-256 of the file of a function (`app/answer.py:answer`); None, with the mistake noted, without it."""
    target = PythonFunction.parse(text)
    if target is None:
        loading.complain(location, quoted(text), "expected PATH.py:FUNCTION, such as app/answer.py:answer")
        return None
    try:
        return _function_hash(target, loading.workspace)
    except PathError as error:
        loading.complain(location, error.found, error.expected)
        return None


def fake_hashes(cases: Sequence[Case], location: Location, loading: Loading) -> Mapping[str, str]:
    """The SHA-256 of each file with a Python fake that cases name in `tool_results`, by its path.

    A function that is not there is noted at `location`, with the first case that names it.
    """
    first: dict[PythonFunction, str] = {}
    for case in cases:
        for target in python_functions(case.tool_results) if case.tool_results else ():
            first.setdefault(target, case.id)
    found: dict[str, str] = {}
    for target, case_id in first.items():
        try:
            found[target.path] = _function_hash(target, loading.workspace)
        except PathError as error:
            loading.complain(location, f"{error.found} (tool_results of case {quoted(case_id)})", error.expected)
    return found


def _function_hash(target: PythonFunction, workspace: Workspace) -> str:
    """The hash of a function's file, which is read and parsed, never run. Raises `PathError`."""
    path = workspace.resolve(target.path)
    definition_of(target, read_text(path, target.path))
    return _sha256(path)


def definition_of(target: PythonFunction, source: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Where a file's text defines the function; None where it has the name in another way. Nothing is run.

    Raises `PathError` for text that is not Python, or has no such name.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" (line {error.lineno}: {error.msg})" if isinstance(error, SyntaxError) else ""
        raise PathError(f"{target.path} is not Python{line}", "expected a Python file") from None
    names = set(_names(tree))
    if target.function not in names and "*" not in names:
        otherwise = f"expected one of {listed(sorted(names))}" if names else "expected a function in it"
        found = f"no {target.function} in {target.path}"
        raise PathError(found, did_you_mean(target.function, names, otherwise))
    definitions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == target.function
    ]
    return definitions[-1] if definitions else None


def _names(tree: ast.Module) -> Iterator[str]:
    """The names that a module has at its top level, those inside `if` and `try` too; `*` where that cannot be told."""
    for node in ast.walk(ast.Module(body=_top_level(tree.body), type_ignores=[])):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


def _top_level(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements without what is inside functions and classes."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = []
    return body


def outputs_of(path: str, location: Location, loading: Loading) -> tuple[Outputs, str] | None:
    """The recorded outputs of a file and its SHA-256; None, with the mistakes noted, when it has any."""
    try:
        found = loading.workspace.resolve(path)
        return read_outputs(found, path), _sha256(found)
    except PathError as error:
        loading.complain(location, error.found, error.expected)
    except DatasetError as error:
        loading.add(error.problems)
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
