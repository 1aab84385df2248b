"""`well_formed`: the answer is XML, YAML, CSV or JSON that a reader of that format takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, NoReturn, Self

from pydantic import AfterValidator, Field, model_validator

from snapdrift.graders.arguments import not_empty
from snapdrift.graders.base import Grader
from snapdrift.graders.json_text import MAX_DEPTH, read_json
from snapdrift.graders.marks import InvalidJsonError, Mark
from snapdrift.graders.values import quoted, text_of
from snapdrift.graders.workspace_files import FoundError
from snapdrift.model import Case

MOST_YAML = 1_000_000
"""Characters of YAML that are read: it is the one format here that takes seconds for a few megabytes."""


class Format(StrEnum):
    """What a text can be written in."""

    XML = "xml"
    YAML = "yaml"
    CSV = "csv"
    JSON = "json"


def _one_character(text: str) -> str:
    if len(text) != 1 or text in '\r\n"':
        raise ValueError("one character that is no line break or quotation mark")
    return text


class WellFormed(Grader):
    """Passes when the extracted text is well-formed; what it says does not matter.

    `xml` is one document without a DTD: entities are never declared, expanded or fetched. `yaml` is one document that
    is a mapping or a list (plain prose is YAML too), without duplicate keys; aliases are never expanded. `csv` has the
    same number of fields in every row, at least two, or just the `columns` that its first row has to name. `json` is
    read as strictly as by `extract`.
    """

    family: ClassVar[str] = "well_formed"
    unscored: ClassVar[str] = (
        "Nothing: text that is not well-formed is wrong. A code fence counts as part of the text; `extract: fenced` "
        "takes it off."
    )
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: |
  ```xml
  <order id="5521"><line sku="A1"/></order>
  ```
grader: {name: xml, well_formed: xml, extract: fenced}
""",
        """\
answer: "sku,qty\\nA1,2\\n\\"B,2\\",1\\n"
grader: {name: table, well_formed: csv, columns: [sku, qty]}
""",
        """\
answer: "order: 5521\\norder: 5522\\n"
passes: false
grader: {name: config, well_formed: yaml}
""",
    )

    well_formed: Format = Field(description="The format: `xml`, `yaml`, `csv` or `json`.")
    columns: Annotated[tuple[str, ...], AfterValidator(not_empty)] | None = Field(
        default=None, description="Of `csv`: what the first row says, in this order."
    )
    delimiter: Annotated[str, AfterValidator(_one_character)] = Field(
        default=",", description="Of `csv`: what stands between two fields."
    )

    @model_validator(mode="after")
    def _columns_are_of_csv(self) -> Self:
        if self.well_formed is not Format.CSV and (self.columns is not None or self.delimiter != ","):
            found = f"`columns` or `delimiter` with `well_formed: {self.well_formed.value}`"
            raise FoundError(found, "expected them with csv only")
        return self

    def mark(self, case: Case, value: Any) -> Mark:
        """Reads the text."""
        del case
        text = text_of(value).strip()
        why = (
            _csv(text, self.delimiter, self.columns)
            if self.well_formed is Format.CSV
            else _READERS[self.well_formed](text)
        )
        return Mark.of(not why, f"not well-formed {self.well_formed.value.upper()}: {why}" if why else "")


def _xml(text: str) -> str:
    """What is wrong with it as XML; no tree is made, so its depth and size do not matter."""
    from xml.parsers import expat

    # The encoding given here overrules the one that a declaration names: the text is decoded already.
    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = _refuse_dtd
    try:
        parser.Parse(text.encode(), True)  # noqa: FBT003  it takes positions only; True: this is all of it
    except UnicodeEncodeError:
        return "half a surrogate pair is no character"
    except _DtdError:
        return f"it has a DTD (<!DOCTYPE), which is not read, at line {parser.CurrentLineNumber}"
    except expat.ExpatError as error:
        return f"{expat.ErrorString(error.code)} at line {error.lineno} column {error.offset + 1}"
    return ""


class _DtdError(Exception):
    """Ends the reading of XML where a DTD begins: entities are declared nowhere else, so none is ever expanded."""


def _refuse_dtd(*_: object) -> NoReturn:
    raise _DtdError


def _yaml(text: str) -> str:
    """What is wrong with it as YAML, by its events alone: nothing is built, and no alias is followed."""
    import yaml

    if len(text) > MOST_YAML:
        return f"{len(text):,} characters, of which at most {MOST_YAML:,} are read"
    checks = _YamlChecks()
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            why = checks.problem(event)
            if why:
                return why
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return f"{error.problem or error.context}" + (
            f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        )
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        return str(error).splitlines()[0]
    return "" if checks.documents else "there is nothing"


@dataclass(slots=True)
class _YamlChecks:
    """What is looked at while the events of a YAML text go by: how deep they are, keys, anchors, how many documents."""

    documents: int = 0
    _keys: list[set[tuple[str, str]] | None] = field(default_factory=list)
    _key_next: list[bool] = field(default_factory=list)
    _anchors: set[str] = field(default_factory=set)

    def problem(self, event: Any) -> str:
        """What is wrong with the text at this event; empty where nothing is."""
        import yaml

        why = ""
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            why = "a second document begins" if self.documents > 1 else ""
        elif isinstance(event, yaml.CollectionEndEvent):
            self._keys.pop()
            self._key_next.pop()
        elif isinstance(event, yaml.NodeEvent):
            why = self._node(event)
        return f"{why} at line {event.start_mark.line + 1}" if why else ""

    def _node(self, event: Any) -> str:
        import yaml

        if not self._keys and not isinstance(event, yaml.CollectionStartEvent):
            return "a single value instead of a mapping or a list"
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                return f"nothing is called &{event.anchor}"
        elif event.anchor is not None:
            self._anchors.add(event.anchor)
        why = self._key(event) if self._keys and self._keys[-1] is not None else ""
        if isinstance(event, yaml.CollectionStartEvent):
            self._keys.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
            self._key_next.append(True)
            why = why or (f"nested deeper than {MAX_DEPTH} levels" if len(self._keys) > MAX_DEPTH else "")
        return why

    def _key(self, event: Any) -> str:
        """Whether a mapping has the key twice; in a mapping every second node is a key."""
        import yaml

        is_key, self._key_next[-1] = self._key_next[-1], not self._key_next[-1]
        keys = self._keys[-1]
        if not is_key or keys is None or not isinstance(event, yaml.ScalarEvent):
            return ""
        key = (event.tag or "", event.value)
        if key in keys:
            return f"the key {quoted(event.value)} a second time"
        keys.add(key)
        return ""


def _csv(text: str, delimiter: str, columns: tuple[str, ...] | None) -> str:
    """What is wrong with it as CSV (RFC 4180, by any delimiter): quotation marks, and rows that are not alike."""
    import csv
    import io

    if not text:
        return "there is nothing"
    width = None if columns is None else len(columns)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, row in enumerate(reader, 1):
            if number == 1 and columns is not None and tuple(row) != columns:
                return f"expected the columns {quoted(list(columns))}, found {quoted(row)}"
            if width is None:
                width = len(row)
                if width < 2:
                    return f"a row of one field; is {quoted(delimiter)} the delimiter?"
            if len(row) != width:
                return f"row {number} has {len(row)} fields, not {width}"
    except csv.Error as error:
        return f"{error} at line {reader.line_num}"
    return ""


def _json(text: str) -> str:
    """What is wrong with it as JSON."""
    try:
        read_json(text)
    except InvalidJsonError as error:
        return str(error).removeprefix("not JSON: ")
    return ""


_READERS: Mapping[Format, Callable[[str], str]] = {Format.XML: _xml, Format.YAML: _yaml, Format.JSON: _json}
