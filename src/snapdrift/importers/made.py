"""What an import makes: suites, their datasets and the files that they name, as texts by path in the workspace."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snapdrift.importers.notes import Kind, Notes, shortened

SCHEMA_LINE = "# yaml-language-server: $schema=suite.schema.json"
"""Where editors find what a suite may hold, once `snapdrift schema` has written it there."""
MOST_COMMENTS = 200
"""Lines of a suite's comment block; the whole list is printed."""
_LIKE_OTHER_VALUES = re.compile(
    r"(?i)[-+]?(\d[\d_]*(\.\d*)?|\.\d+)(e[-+]?\d+)?|[-+]?\.(inf|nan)|true|false|yes|no|on|off|null|~|0[xo].*|<<|=?"
)


@dataclass(frozen=True, slots=True)
class MadeSuite:
    """A suite as its file will hold it, the rows of its dataset, and further files by path.

    `notes` are those about it alone, where an import makes several.
    """

    name: str
    entry: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    notes: Notes | None = None

    @property
    def path(self) -> str:
        """Where the suite is written, in the workspace."""
        return f"evals/{self.name}.yaml"

    @property
    def asks(self) -> bool:
        """Whether running it asks anybody: a model, or a judge."""
        judged = any("judge" in grader for grader in self.entry.get("graders", []))
        return judged or any("outputs" not in variant for variant in self.entry.get("variants", {}).values())

    @property
    def counts(self) -> str:
        """What it holds, for a person."""
        variants, graders = len(self.entry.get("variants", {})), len(self.entry.get("graders", []))
        parts = ((variants, "variant"), (len(self.rows), "case"), (graders, "grader"))
        return ", ".join(f"{number:,} {word}{'' if number == 1 else 's'}" for number, word in parts)

    def texts(self, source: str, notes: Notes) -> Iterator[tuple[str, str]]:
        """Each file that it consists of, by path, with its text."""
        yield self.path, suite_text(self.entry, source, self.notes or notes)
        dataset = self.entry.get("dataset")
        if isinstance(dataset, str) and self.rows:
            yield dataset, jsonl(self.rows)
        yield from self.files.items()


@dataclass(frozen=True, slots=True)
class Made:
    """All that was made of a file, and what is to be told of it."""

    source: str
    suites: tuple[MadeSuite, ...]
    notes: Notes

    def files(self) -> dict[str, str]:
        """Every file that is to be written, by path in the workspace."""
        return {path: text for suite in self.suites for path, text in suite.texts(self.source, self.notes)}


def jsonl(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as JSON, one a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def suite_text(entry: Mapping[str, Any], source: str, notes: Notes) -> str:
    """A suite's YAML, under a comment block that lists what did not come over as it was."""
    return "\n".join([SCHEMA_LINE, *_comments(source, notes)]) + "\n" + yaml_text(entry)


def _comments(source: str, notes: Notes) -> list[str]:
    lines = [_comment(f"Imported from {source}.")]
    for kind in Kind:
        told = list(shortened(notes.of(kind)))
        if not told:
            continue
        lines += ["#", f"# {kind.value.capitalize()}:"]
        lines += [_comment(f"- {line}") for line in told[:MOST_COMMENTS]]
        if len(told) > MOST_COMMENTS:
            lines.append(f"# - and {len(told) - MOST_COMMENTS:,} more, which the import printed")
    return [*lines, ""]


def _comment(text: str) -> str:
    """One line, whatever the file that was imported holds."""
    return f"# {' '.join(''.join(sign if sign.isprintable() else ' ' for sign in text).split())[:500]}"


def yaml_text(value: Any) -> str:
    """A value as YAML that reads back as the same: leaves on one line, long texts as blocks."""
    import yaml

    class Writer(yaml.SafeDumper):
        """PyYAML's, with texts in the form that suites have."""

        def ignore_aliases(self, data: Any) -> bool:
            """Every value is written out."""
            del data
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: FBT001, FBT002
            """Lists stand inside the mapping that holds them."""
            del indentless
            return super().increase_indent(flow, indentless=False)

    Writer.add_representer(str, _text_node)
    text: str = yaml.dump(value, Dumper=Writer, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    return text


def _text_node(writer: Any, text: str) -> Any:
    if "\n" in text.strip("\n") and not any(line.endswith((" ", "\t")) for line in text.split("\n")):
        style = "|"
    elif _LIKE_OTHER_VALUES.fullmatch(text) or "{{" in text:
        style = '"'
    else:
        style = None
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)
