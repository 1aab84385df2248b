"""Writes the pages of the reference that are made of the code: `python docs/generate.py` (a test holds them current).

    python docs/generate.py [--check]

Each page is one function below, from the program's own objects to Markdown. What keys mean in words is taken from the
texts in the suite's JSON Schema, and from the tables of docs/reference.md where the schema has none.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from docs.tables import anchor, cell, reference_meanings, table  # noqa: E402

_MADE = "<!-- made by `python docs/generate.py`; a change here is lost -->\n\n"
_OF_COMMANDS = """\
What each command is for is in [the reference](../reference.md#the-command-line); this page has every option. Results go
to stdout, progress and notices to stderr."""
_OF_KEYS = """\
Made of the JSON Schema that editors complete suites from (`snapdrift schema`). How the keys work together, with
examples, is in [the reference](../reference.md#a-suite); graders have [a page of their own](graders.md)."""
_OF_FIELDS = """\
Fields may be added within it; readers ignore those that they do not know. A whole example, and what is meant by each
group, is in [the reference](../reference.md#verdictjson)."""
_OF_DECISIONS = """\
What a gate decides, asked of the program itself. In words: [the
reference](../reference.md#decisions-and-exit-codes); why: [how verdicts are made](../explanation/verdicts.md)."""


# --------------------------------------------------------------------------------------------------------- command line


def command_line() -> str:
    """Every command with its usage, its options and their defaults."""
    import typer.main

    from snapdrift.cli import app

    commands: Any = typer.main.get_command(app)
    index = [[f"[`snapdrift {path}`](#{anchor(f'snapdrift {path}')})", told] for path, told, _ in _each(commands)]
    parts = [
        f"# Command line\n\n{_MADE}{_OF_COMMANDS}\n",
        table(["command", "does"], index),
        *(_command(path, command) for path, _, command in _each(commands)),
    ]
    return "\n".join(parts)


def _each(group: Any, before: str = "") -> Iterator[tuple[str, str, Any]]:
    """Commands with the words that call them, those of groups too, and their first sentence."""
    for name, command in group.commands.items():
        path = f"{before}{name}"
        if hasattr(command, "commands"):
            yield from _each(command, f"{path} ")
        else:
            yield path, command.get_short_help_str(300).rstrip("."), command


def _command(path: str, command: Any) -> str:
    told, _, examples = (command.help or "").replace("\b", "").partition("\nExample")
    lines = [line.strip() for line in examples.splitlines()[1:] if line.strip()]
    shown = ["```text", *lines, "```", ""] if lines else []
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    context = command.make_context(path, [], resilient_parsing=True)
    usage = " ".join(["snapdrift", path, *command.collect_usage_pieces(context)])
    usage = re.sub(r"\{(\S+?)(?:\.\.\.)?\}", r"\1", usage)
    options = [_option(p) for p in command.params if p.param_type_name == "option" and not p.hidden]
    return "\n".join(
        [
            f"## snapdrift {path}\n\n`{usage}`\n\n{told.strip()}\n",
            *shown,
            *(
                [
                    table(
                        ["argument", "is"],
                        [[f"`{a.metavar or a.name.upper()}`", cell(a.help or "")] for a in arguments],
                    )
                ]
                if arguments
                else []
            ),
            *([table(["option", "meaning", "default"], options)] if options else []),
        ]
    )


def _option(option: Any) -> list[str]:
    names = ", ".join(f"`{name}`" for name in sorted([*option.opts, *option.secondary_opts], key=len, reverse=True))
    value = "" if option.is_flag else f" `{option.metavar or 'N'}`"
    default = option.default if isinstance(option.default, str | int | float | Path) and not option.is_flag else None
    return [names + value, cell(option.help or ""), "" if default is None else f"`{default}`"]


# --------------------------------------------------------------------------------------------------------- suite schema


def suite_schema() -> str:
    """Every mapping of a suite file with its keys: what they take, and what they mean."""
    from snapdrift.graders.families import all_families
    from snapdrift.graders.registry import Registry
    from snapdrift.suites.schema import suite_json_schema

    schema = suite_json_schema(Registry(all_families()))
    parts = [
        f"# Keys of a suite\n\n{_MADE}{_OF_KEYS}\n",
        _mapping("The suite", schema),
        *(_mapping(name, definition) for name, definition in sorted(schema["$defs"].items())),
    ]
    return "\n".join(parts)


def _mapping(name: str, schema: dict[str, Any]) -> str:
    meanings = reference_meanings(name)
    required = set(schema.get("required", ()))
    rows = []
    for key, value in schema.get("properties", {}).items():
        said = value.get("description") or meanings.get(key, "")
        default = f" (default `{value['default']}`)" if value.get("default") not in (None, "") else ""
        rows.append([f"`{key}`" + (" (required)" if key in required else ""), _takes(key, value), cell(said) + default])
    return f"## {name}\n\n{cell(schema.get('description', ''))}\n\n" + table(["key", "takes", "meaning"], rows)


def _takes(key: str, schema: dict[str, Any]) -> str:
    """What a value may be, in words."""
    if key == "graders":
        return "list of [graders](graders.md)"
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{anchor(name)})"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    ways = schema.get("anyOf") or schema.get("oneOf")
    if ways:
        return " or ".join(dict.fromkeys(_takes("", way) for way in ways if way.get("type") != "null"))
    return _by_type(schema)


def _by_type(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_takes('', schema.get('items', {}))}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        if isinstance(inner, dict) and inner:
            return f"mapping of names to {_takes('', inner)}"
        keys = ", ".join(f"`{name}`" for name in schema.get("properties", {}))
        return f"mapping with {keys}" if keys else "mapping"
    bounds = [f"{word} {schema[limit]:,.10g}" for limit, word in _BOUNDS.items() if limit in schema]
    named = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
    return " ".join([named.get(str(kind), "any value"), " and ".join(bounds)]).strip()


_BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}


# --------------------------------------------------------------------------------------------------------- verdict.json


def verdict_fields() -> str:
    """Every field of `verdict.json`, as it is in the golden file of the reports' tests."""
    import json

    golden = json.loads((ROOT / "tests" / "reports" / "golden" / "verdict.json").read_text(encoding="utf-8"))
    meanings = reference_meanings("verdict.json")
    parts = [f"# verdict.json\n\n{_MADE}The format is `{golden['format']}`. {_OF_FIELDS}\n"]
    top = [[f"`{key}`", _kind(value), meanings.get(key, "")] for key, value in golden.items()]
    parts.append("## The document\n\n" + table(["field", "is", "meaning"], top))
    for key, value in golden.items():
        rows = [
            [f"`{path}`", kind, meanings.get(path.split(".")[-1].removesuffix("[]"), "")]
            for path, kind in _fields(value)
        ]
        if rows:
            parts.append(f"## {key}\n\n" + table(["field", "is", "meaning"], rows))
    return "\n".join(parts)


_BY_NAME = {"resolved_models", "sources", "outcomes", "endings", "versions", "would_miss"}
"""Mappings whose keys are names of a run's own, not fields."""


def _fields(value: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """The fields below a value with their kinds: those of all entries of a list together."""
    if isinstance(value, list):
        found: dict[str, str] = {}
        for entry in value:
            for path, kind in _fields(entry, before):
                found[path] = _either(found.get(path, kind), kind)
        yield from found.items()
    elif isinstance(value, dict):
        for key, inner in value.items():
            path = f"{before}{key}"
            yield path, "counts or values by name" if key in _BY_NAME else _kind(inner)
            if key not in _BY_NAME:
                yield from _fields(inner, f"{path}{'[]' if isinstance(inner, list) else ''}.")


def _either(one: str, other: str) -> str:
    """The kind of a field that is of one kind in one entry of a list, and of another in the next; null comes last."""
    kinds = {*one.split(" or "), *other.split(" or ")}
    return " or ".join(sorted(kinds, key=lambda kind: (kind == "null", kind)))


def _kind(value: Any) -> str:
    if isinstance(value, list):
        kinds = {_kind(entry) for entry in value}
        return f"list of {kinds.pop()}s" if len(kinds) == 1 else "list"
    names = {dict: "object", str: "text", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names[type(value)]


# ------------------------------------------------------------------------------------------------------------ decisions


def decisions() -> str:
    """Exit codes, and the decision table: each row is a question put to the program's own decision."""
    from docs.decision_table import cells_of_verdicts, rows_of_states
    from snapdrift.exit_codes import ExitCode, combine_exit_codes

    codes = [[f"`{code.value}`", code.name.lower().replace("_", " ")] for code in ExitCode]
    order, left = [], list(ExitCode)
    while left:
        order.append(combine_exit_codes(left))
        left.remove(order[-1])
    head = ["a gating metric is", "`policy: catch`", "`catch`, `inconclusive: fail`", "`policy: prove`"]
    return "\n".join(
        [
            f"# Decisions and exit codes\n\n{_MADE}{_OF_DECISIONS}\n",
            "## Exit codes\n\n" + table(["code", "is"], codes),
            "Several suites in one command end with the gravest: "
            + ", ".join(str(code.value) for code in order)
            + ".\n",
            "## By the verdict of a gating metric\n\n" + table(head, cells_of_verdicts()),
            "## By what else a run shows\n\nAll comparisons are shown to be no worse here, and `policy` is `catch`.\n\n"
            + table(["state", "decision", "code"], rows_of_states()),
        ]
    )


def graders() -> str:
    """Every grader family, as `python -m snapdrift.graders.reference` prints it."""
    from snapdrift.graders.reference import render_reference

    return render_reference()


PAGES: dict[str, Callable[[], str]] = {
    "reference/cli.md": command_line,
    "reference/suite.md": suite_schema,
    "reference/verdict.md": verdict_fields,
    "reference/decisions.md": decisions,
    "reference/graders.md": graders,
}


def made(name: str) -> str:
    """A page as it is to be: with one newline at its end and no blanks at the end of its lines."""
    return re.sub(r"[ \t]+$", "", PAGES[name]().rstrip("\n"), flags=re.MULTILINE) + "\n"


def main(words: list[str]) -> int:
    """Writes every page, or with `--check` only says which are not current."""
    stale = []
    for name in PAGES:
        path, text = ROOT / "docs" / name, made(name)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in words:
                path.write_text(text, encoding="utf-8")
    said = "not current, run `python docs/generate.py`" if "--check" in words else "written"
    sys.stdout.write("".join(f"docs/{name}: {said}\n" for name in stale))
    return 1 if stale and "--check" in words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
