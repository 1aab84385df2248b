"""YAML and JSON files as values with positions, so that every mistake can be told with its line and column.

YAML is read as JSON's data model wants it, not as YAML 1.1 does: only `true` and `false` are booleans (`no`, `yes`,
`on` and `off` stay text), dates stay text as written, numbers are JSON's (plus `1.`, `.5`, `+1`; `007` and `12:30`
stay text), and keys are always the text that is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from snapdrift.errors import DocumentError, Problem
from snapdrift.suites.registry import Location
from snapdrift.suites.strict_json import finite, loads_strictly

if TYPE_CHECKING:
    from yaml.events import Event
    from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_DEPTH = 64
"""Levels of nesting. libyaml's composer recurses in C, so deeper files are refused before it sees them."""
MAX_EXPANDED = 50_000
"""Values that aliases and merge keys may copy; ten lines of nested aliases would otherwise fill the memory."""

_TAG = "tag:yaml.org,2002:"
_NULLS = ("", "~", "null", "Null", "NULL")
_NUMBER_STARTS = list("-+.0123456789")
_IMPLICIT: tuple[tuple[str, re.Pattern[str], list[str]], ...] = (
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), _NUMBER_STARTS),
    (
        "float",
        re.compile(
            r"^(?:[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
            r"|\.(?:nan|NaN|NAN))$"
        ),
        _NUMBER_STARTS,
    ),
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("merge", re.compile(r"^<<$"), ["<"]),
)


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands in a file; both count from 1."""

    line: int
    column: int


START = Position(1, 1)


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value. `keys` and `values` say where each key and each value of it stands, by location."""

    file: str
    value: Any
    keys: Mapping[Location, Position] = field(default_factory=dict)
    values: Mapping[Location, Position] = field(default_factory=dict)

    def position(self, location: Location, *, key: bool = False) -> Position:
        """Where the value (or its key) stands; for what is not in the file, the nearest thing around it."""
        if key and location in self.keys:
            return self.keys[location]
        for length in range(len(location), -1, -1):
            if location[:length] in self.values:
                return self.values[location[:length]]
        return START

    def problem(self, location: Location, found: str, expected: str, *, key: bool = False) -> Problem:
        """A mistake at a location."""
        where = self.position(location, key=key)
        return Problem(self.file, where.line, where.column, format_location(location), found, expected)


def format_location(location: Location) -> str:
    """A location as people write it: `graders[0].exact`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def parse_document(text: str, file: str) -> Document:
    """Reads one YAML document. Raises `DocumentError` with every syntax error, duplicate key and refused tag."""
    import yaml

    try:
        _check_nesting(text, file)
        loader = _loader_class()(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = ": ".join(part for part in (error.context, error.problem) if part)
        if text.splitlines()[line - 1 : line] and "\t" in text.splitlines()[line - 1][:column]:
            said = f"a tab in the indentation ({said})"
        raise DocumentError([Problem(file, line, column, "", f"not YAML: {said}", "expected valid YAML")]) from None
    except yaml.reader.ReaderError as error:
        raise DocumentError([_unreadable(text, file, error.character)]) from None
    builder = _Builder(file)
    value = None if root is None else builder.build(root, (), 0)
    if builder.problems:
        raise DocumentError(builder.problems)
    return Document(file, value, builder.keys, builder.values)


def parse_json(text: str, file: str) -> Document:
    """Reads a JSON file (positions inside it are not kept). Raises `DocumentError`."""
    try:
        return Document(file, loads_strictly(text))
    except json.JSONDecodeError as error:
        problem = Problem(file, error.lineno, error.colno, "", f"not JSON: {error.msg}", "expected valid JSON")
    except ValueError as error:
        problem = Problem(file, 1, 1, "", str(error), "expected JSON that every reader understands alike")
    except RecursionError:
        problem = Problem(file, 1, 1, "", "nested too deeply", f"expected at most {MAX_DEPTH} levels")
    raise DocumentError([problem])


@cache
def _loader_class() -> Any:
    """PyYAML's safe loader (the fast one where libyaml is there) with the scalars of this module's docstring."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    made: Any = type("PlainLoader", (base,), {"yaml_implicit_resolvers": {}})
    for name, pattern, first in _IMPLICIT:
        made.add_implicit_resolver(_TAG + name, pattern, first)
    return made


def _check_nesting(text: str, file: str) -> None:
    import yaml

    depth = 0
    try:
        for event in yaml.parse(text, Loader=_loader_class()):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise _nested_too_deeply(file, _position(event))
    except yaml.MarkedYAMLError as error:
        # libyaml reads ahead, and has a limit of its own in newer versions: it may complain before the events are here.
        if "nesting depth" not in str(error.problem) or error.problem_mark is None:
            raise
        raise _nested_too_deeply(file, Position(error.problem_mark.line + 1, error.problem_mark.column + 1)) from None


def _nested_too_deeply(file: str, at: Position) -> DocumentError:
    found, expected = "nested too deeply", f"expected at most {MAX_DEPTH} levels"
    return DocumentError([Problem(file, at.line, at.column, "", found, expected)])


def _unreadable(text: str, file: str, character: int | bytes) -> Problem:
    code = character if isinstance(character, int) else character[0]
    at = max(text.find(chr(code)), 0)
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    found = f"the control character U+{code:04X}"
    return Problem(file, line, column, "", found, 'expected text; write it as an escape in double quotes ("\\x07")')


class _Builder:
    """Makes values of YAML nodes and notes where each stands."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.keys: dict[Location, Position] = {}
        self.values: dict[Location, Position] = {}
        self.problems: list[Problem] = []
        self._built: set[int] = set()
        self._open: set[int] = set()
        self._expanded = 0

    def build(self, node: Node, location: Location, depth: int) -> Any:
        """The value of a node that stands at `location`."""
        import yaml

        self.values[location] = _position(node)
        if id(node) in self._built:
            self._expanded += 1
        self._built.add(id(node))
        if id(node) in self._open:
            return self._complain(node, location, "an alias that contains itself", "expected values that end")
        if not self._bounded(node, location, depth):
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node, location)
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node, location, depth)
            return self._mapping(node, location, depth)  # type: ignore[arg-type]
        finally:
            self._open.discard(id(node))

    def _bounded(self, node: Node, location: Location, depth: int) -> bool:
        """Whether aliases have not expanded too far yet; complains once when they have."""
        if self._expanded <= MAX_EXPANDED and depth <= MAX_DEPTH:
            return True
        if not any(problem.found.startswith("aliases") for problem in self.problems):
            found = f"aliases that expand to more than {MAX_EXPANDED:,} values or {MAX_DEPTH} levels"
            self._complain(node, location, found, "expected the values to be written out")
        return False

    def _complain(self, node: Node, location: Location, found: str, expected: str) -> None:
        at = _position(node)
        self.problems.append(Problem(self.file, at.line, at.column, format_location(location), found, expected))

    def _refuse_tag(self, node: Node, location: Location) -> None:
        shown = node.tag.replace(_TAG, "!!")
        self._complain(node, location, f"the tag {shown}", "expected plain values: text, numbers, lists, mappings")

    def _scalar(self, node: ScalarNode, location: Location) -> Any:
        kind, text = node.tag.removeprefix(_TAG), str(node.value)
        try:
            match kind:
                case "str" | "merge":
                    return text
                case "null" if text in _NULLS:
                    return None
                case "bool" if text.lower() in ("true", "false"):
                    return text.lower() == "true"
                case "int":
                    return int(text)
                case "float" if text[-1] not in "fFnN":
                    return finite(text)
        except ValueError as error:
            return self._complain(node, location, str(error), "expected a finite number of reasonable length")
        if kind == "float":
            return self._complain(node, location, f"{text} is not a number that JSON has", "expected a finite number")
        return self._refuse_tag(node, location)

    def _sequence(self, node: SequenceNode, location: Location, depth: int) -> list[Any]:
        if node.tag != f"{_TAG}seq":
            self._refuse_tag(node, location)
        return [self.build(item, (*location, index), depth + 1) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, location: Location, depth: int) -> dict[str, Any]:
        if node.tag != f"{_TAG}map":
            self._refuse_tag(node, location)
        made: dict[str, Any] = {}
        for name, (key, value) in self._pairs(node, location, depth).items():
            self.keys[*location, name] = _position(key)
            made[name] = self.build(value, (*location, name), depth + 1)
        return made

    def _pairs(self, node: MappingNode, location: Location, depth: int) -> dict[str, tuple[ScalarNode, Node]]:
        """The keys of a mapping with those that `<<` brings in; its own keys win, then the first source's."""
        import yaml

        pairs: dict[str, tuple[ScalarNode, Node]] = {}
        merged: list[Node] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._complain(key, location, "a key that is a list or a mapping", "expected text")
            elif key.tag == f"{_TAG}merge":
                merged.extend(value.value if isinstance(value, yaml.SequenceNode) else [value])
            elif key.value in pairs:
                first = _position(pairs[key.value][0])
                expected = f"expected each key once; it is first at line {first.line}"
                self._complain(key, (*location, key.value), "duplicate key", expected)
            else:
                pairs[key.value] = (key, value)
        for source in merged:
            self._expanded += 1
            if not isinstance(source, yaml.MappingNode):
                self._complain(source, (*location, "<<"), "not a mapping", "expected a mapping, or a list of them")
            elif self._bounded(source, location, depth):
                for name, pair in self._pairs(source, location, depth + 1).items():
                    pairs.setdefault(name, pair)
        return pairs


def _position(node: Node | Event) -> Position:
    mark = node.start_mark
    return Position(mark.line + 1, mark.column + 1) if mark else START
