"""`snapdrift cache`: what is kept for later runs, why a call would be asked all the same, and forgetting it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snapdrift.cli import completion as c
from snapdrift.cli import options as o
from snapdrift.cli import tables
from snapdrift.errors import UsageError

if TYPE_CHECKING:
    from snapdrift.pipeline.caching import CacheOverview, ReuseExplained

cache = typer.Typer(invoke_without_command=True)
SuitePath = Annotated[Path, typer.Argument(help="A suite file (YAML).", metavar="SUITE", autocompletion=c.suites)]


@cache.callback()
def overview(context: typer.Context) -> None:
    """Show the answers that later runs reuse, by model: how many, how large, how old. Nothing is sent.

    Examples:
      snapdrift cache
      snapdrift cache explain evals/sentiment.yaml --case s-014
      snapdrift cache clear --older-than 7d
    """
    if context.invoked_subcommand is None:
        from snapdrift.pipeline import RunOptions
        from snapdrift.pipeline.caching import cache_overview

        typer.echo(_overview(cache_overview(Path.cwd(), RunOptions())), nl=False)


@cache.command()
def explain(
    suite: SuitePath,
    case: Annotated[
        str, typer.Option("--case", help="The case that the call is about.", metavar="ID", autocompletion=c.cases)
    ],
    variant: o.Variants = None,
    repeat: Annotated[int, typer.Option("--repeat", min=0, help="Which repeat, from 0.", metavar="K")] = 0,
    gate: o.GateName = None,
    standin: o.Standin = False,
    recordings: o.Recordings = None,
    behaviour: o.Behaviour = None,
    host: o.HostName = None,
    base_url: o.BaseUrl = None,
    no_code: o.NoCode = False,
) -> None:
    """Say of a call whether a run would reuse an answer; else which rule forbids it, or which field differs.

    Examples:
      snapdrift cache explain evals/sentiment.yaml --case s-014
      snapdrift cache explain evals/sentiment.yaml --case s-014 --variant november --repeat 1
      snapdrift cache explain evals/ticket-triage.yaml --case t-001 --standin
    """
    from snapdrift import pipeline
    from snapdrift.pipeline.caching import explain_reuse

    options = pipeline.RunOptions(
        gate=gate,
        selection=pipeline.Selection(variants=tuple(variant or ())),
        target=o.target(standin, recordings, behaviour, host, base_url, None),
        code=not no_code,
    )
    for one in explain_reuse(suite, case, repeat, options):
        typer.echo(_explained(one), nl=False)


@cache.command()
def clear(
    older_than: Annotated[
        str | None, typer.Option("--older-than", help="Only what was received longer ago: `36h`, `7d`.", metavar="AGE")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Only answers of this model.", metavar="MODEL", autocompletion=c.models),
    ] = None,
) -> None:
    """Forget answers, so that later runs ask anew. Run files, reports and history stay as they are.

    Examples:
      snapdrift cache clear
      snapdrift cache clear --older-than 7d
      snapdrift cache clear --model gpt-4o-2024-08-06
    """
    from snapdrift.pipeline import RunOptions
    from snapdrift.pipeline.caching import clear_cache
    from snapdrift.suites.gates import age_in_seconds

    seconds = None if older_than is None else age_in_seconds(older_than)
    if older_than is not None and seconds is None:
        raise UsageError(f"--older-than: found {older_than!r}; expected an age such as 36h, 7d or 2w")
    gone = clear_cache(Path.cwd(), RunOptions(), seconds, model)
    typer.echo(f"forgot {gone:,} {'answer' if gone == 1 else 'answers'}")


def _overview(found: CacheOverview) -> str:
    size = f"{found.size_bytes / 2**20:.1f} of {found.max_bytes / 2**20:g} MB"
    lines = [f"{found.path}: an index of the answers in run files, {size}"]
    if found.models:
        rows = [[m.model, f"{m.entries:,}", _size(m.bytes), m.oldest[:16], m.newest[:16]] for m in found.models]
        lines.append(tables.table(("model", "answers", "in run files", "oldest", "newest"), {1, 2}, rows))
    else:
        lines.append("  no answers of pinned snapshots yet")
    return tables.joined(lines)


def _size(number: int) -> str:
    return f"{number / 2**20:.1f} MB" if number >= 2**20 else f"{number / 2**10:.1f} kB"


def _explained(one: ReuseExplained) -> str:
    call = f"{one.variant}, case {one.case}, repeat {one.repeat}"
    if one.reused is not None:
        return f"{call}: would be reused, from {one.reused.call} of run {one.reused.run} ({one.reused.received_at})\n"
    if one.rule:
        return f"{call}: would be asked: {one.rule}\n"
    near = one.nearest
    if near is None:
        return f"{call}: would be asked: no run file has a request of this case or model\n"
    whose = f"{near.call} of run {near.run} ({near.received_at})"
    if near.why:
        return f"{call}: would be asked: {whose} has this very request, but {near.why}\n"
    places = "1 place" if len(near.differences) == 1 else f"{len(near.differences)} places"
    lines = [f"{call}: would be asked: the nearest request, {whose}, differs in {places}"]
    for difference in near.differences:
        lines += [f"  {difference.path}", f"    now:  {difference.now}", f"    then: {difference.then}"]
    return tables.joined([*lines, ""]).rstrip("\n") + "\n"
