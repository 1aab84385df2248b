"""`snapdrift import`: suites of promptfoo configurations, of OpenAI evals, and of answers obtained elsewhere."""

from __future__ import annotations

import json as json_module
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snapdrift.exit_codes import ExitCode

if TYPE_CHECKING:
    from snapdrift.pipeline.importing import Imported, ImportOptions

group = typer.Typer(no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The file to import.", metavar="FILE")]
Out = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        "--out",
        help="The workspace to write into (default: the one of this folder).",
        metavar="DIR",
    ),
]
Name = Annotated[str | None, typer.Option("--name", help="What the suite is called.", metavar="NAME")]
Judge = Annotated[
    str | None, typer.Option("--judge", help="The model that judges, where the file names none.", metavar="MODEL")
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="A model to ask, where the file names none. Repeatable.", metavar="MODEL"),
]
Strict = Annotated[bool, typer.Option("--strict", help="End with 2, writing nothing, where something is left out.")]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]
Json = Annotated[bool, typer.Option("--json", help="Print what was made, and every note, as JSON.")]


@group.callback()
def imported() -> None:
    """Make suites of what other tools hold. Nothing is asked and no code is run; what has no counterpart is listed."""


@group.command(short_help="A suite of a promptfoo configuration")
def promptfoo(
    file: File,
    out: Out = None,
    name: Name = None,
    judge: Judge = None,
    strict: Strict = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Make a suite of a promptfoo configuration: prompts, OpenAI's providers, tests and assertions.

    Examples:
      snapdrift import promptfoo promptfooconfig.yaml
      snapdrift import promptfoo promptfooconfig.yaml -o moved --strict
    """
    from snapdrift.pipeline.importing import import_promptfoo

    _print(import_promptfoo(file, _options(out, name, judge, None, strict, force)), json)


@group.command("openai-evals", short_help="Suites of OpenAI evals, of the registry or the hosted API")
def openai_evals(
    file: File,
    out: Out = None,
    name: Name = None,
    evals: Annotated[
        list[str] | None,
        typer.Option("--eval", help="Only this eval of a registry file. Repeatable.", metavar="NAME"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="The items or samples (JSONL), where the file only names them.", metavar="FILE"),
    ] = None,
    judge: Judge = None,
    model: Models = None,
    strict: Strict = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Make suites of OpenAI evals: a registry's YAML with its samples, or the JSON that the hosted API exports.

    Examples:
      snapdrift import openai-evals registry/evals/arithmetic.yaml
      snapdrift import openai-evals eval.json --data items.jsonl --model gpt-4o-2024-11-20 --model gpt-4o
    """
    from snapdrift.pipeline.importing import import_openai_evals

    options = _options(out, name, judge, model, strict, force)
    _print(import_openai_evals(file, options, evals or [], data), json)


@group.command(short_help="Variants of answers obtained elsewhere")
def outputs(
    file: File,
    suite: Annotated[
        Path | None,
        typer.Option("--suite", help="The suite whose cases were answered; without it one is made.", metavar="SUITE"),
    ] = None,
    out: Out = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="What the variant is called (or the suite that is made).", metavar="NAME"),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id", help="The column with the case's id.", metavar="COLUMN")
    ] = None,
    input_column: Annotated[
        str | None, typer.Option("--input", help="The column with what was asked.", metavar="COLUMN")
    ] = None,
    output_column: Annotated[
        str | None, typer.Option("--answer", help="The column with the answer.", metavar="COLUMN")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 2, writing nothing, where a row is left out.")
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Make variants of answers obtained elsewhere: logs, stored completions, batch outputs, other tools' results.

    Rows are matched with cases by id, else by what was asked; rows without a case and second answers are listed.

    Examples:
      snapdrift import outputs batch_output.jsonl --suite evals/sentiment.yaml --name august
      snapdrift import outputs production.csv --input question --answer reply
    """
    from snapdrift.importers.outputs.suite import OutputsRequest
    from snapdrift.pipeline.importing import import_outputs

    request = OutputsRequest(file, name, id_column, input_column, output_column)
    _print(import_outputs(request, _options(out, name, None, None, strict, force), suite), json)


def _options(
    out: Path | None, name: str | None, judge: str | None, models: list[str] | None, strict: bool, force: bool
) -> ImportOptions:
    from snapdrift.pipeline.importing import ImportOptions

    return ImportOptions(
        cwd=Path.cwd(),
        out=out,
        name=name,
        judge=judge,
        models=tuple(models or ()),
        strict=strict,
        force=force,
    )


def _print(made: Imported, json: bool) -> None:
    typer.echo(_as_json(made) if json else _told(made), nl=False)
    if made.problems:
        raise typer.Exit(ExitCode.ERROR)


def _as_json(made: Imported) -> str:
    return (
        json_module.dumps(
            {
                "source": made.source,
                "workspace": str(made.root),
                "suites": list(made.suites),
                "files": list(made.files),
                "left_out": [{"place": n.place, "what": n.what, "why": n.why} for n in made.left_out],
                "changed": [{"place": n.place, "what": n.what, "why": n.why} for n in made.changed],
                "problems": list(made.problems),
                "hints": list(made.hints),
            },
            ensure_ascii=False,
            indent=2,
        )
        + "\n"
    )


def _told(made: Imported) -> str:
    from snapdrift.importers.notes import shortened

    lines = [f"imported {made.source}"]
    lines += [f"  {path}: {counts}" for path, counts in zip(made.suites, made.counts, strict=True)]
    others = [path for path in made.files if path not in made.suites]
    lines += [f"  {path}" for path in others[:20]]
    if len(others) > 20:
        lines.append(f"  and {len(others) - 20} more files")
    for heading, notes in (("left out", made.left_out), ("not quite the same", made.changed)):
        if notes:
            lines += ["", f"{heading} ({len(notes):,})", *(f"  {line}" for line in shortened(notes))]
    if made.hints:
        lines += ["", *made.hints]
    if made.problems:
        lines += ["", "the suite has mistakes that have to be mended by hand", *(f"  {line}" for line in made.problems)]
    elif made.suites:
        first = shlex.quote(_from_here(made.root / made.suites[0]))
        lines += [
            "",
            f"next: snapdrift check {first}",
            f"      snapdrift run {first}{' --standin' if made.asks else ''}",
        ]
        if made.asks:
            lines.append(
                "      (the stand-in has no right answers for it: that shows that it runs, not how good anything is)"
            )
    return "\n".join(_printable(line) for line in lines) + "\n"


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _printable(line: str) -> str:
    """A line without characters that act on a terminal; the file that was imported is anybody's."""
    return "".join(sign if sign.isprintable() else " " for sign in line)
