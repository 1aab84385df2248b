"""`snapdrift state`: the state folder, kept where the next machine finds it."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from snapdrift.pipeline import Synced

group = typer.Typer(
    no_args_is_help=True,
    help="Keep runs, verdicts, calibrations and what watching learnt in a git branch or a folder, for the next CI job.",
)

Remote = Annotated[
    str | None,
    typer.Option("--remote", help="The remote of the branch (default `origin`, where there is one).", metavar="NAME"),
]
Json = Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")]


@group.command()
def push(
    to: Annotated[str, typer.Option("--to", help="`git-branch`, `git-branch:NAME`, or a folder.", metavar="PLACE")],
    keep: Annotated[
        int, typer.Option("--keep", min=1, help="Runs of each suite that the place keeps, the newest.", metavar="N")
    ] = 100,
    whole: Annotated[
        bool, typer.Option("--whole", help="Push run files whole, also of suites with privacy rules.")
    ] = False,
    remote: Remote = None,
    json: Json = False,
) -> None:
    """Add the runs and the other state of this workspace to a place; nothing there is lost but old runs.

    A run that was cut off goes too: the next `run` of the same commit, suite and gate goes on with it, and so does
    `resume`. Run files hold prompts and answers: whoever can read the place can read them. A run whose suite has
    `privacy` rules is pushed without what they take out, and stays here where it was cut off. Two pushes at once both
    arrive.

    Examples:
      snapdrift state push --to git-branch
      snapdrift state push --to git-branch:quality-state --keep 30
      snapdrift state push --to /mnt/shared/snapdrift
    """
    from snapdrift import pipeline

    done = pipeline.push_state(Path.cwd(), to, remote=remote, keep=keep, whole=whole)
    _print(done, "pushed to", as_json=json)


@group.command()
def pull(
    place: Annotated[
        str, typer.Option("--from", "--to", help="`git-branch`, `git-branch:NAME`, or a folder.", metavar="PLACE")
    ],
    remote: Remote = None,
    json: Json = False,
) -> None:
    """Take in what a place has and this workspace lacks. Every file is checked first, and nothing newer is replaced.

    A place that is not there yet is no error, for the first job of a new repository finds none. It is said, and nothing
    is made.

    Examples:
      snapdrift state pull --from git-branch
      snapdrift state pull --from /mnt/shared/snapdrift
    """
    from snapdrift import pipeline

    _print(pipeline.pull_state(Path.cwd(), place, remote=remote), "pulled from", as_json=json)


def _print(done: Synced, how: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json_module.dumps(asdict(done), indent=1))
        return
    for text in done.skipped:
        typer.echo(f"left out: {text}", err=True)
    if done.nothing_there:
        typer.echo(f"{done.where}: nothing is kept there yet, so nothing was pulled")
        return
    if done.redacted:
        exports = "1 run goes as an export" if len(done.redacted) == 1 else f"{len(done.redacted):,} runs go as exports"
        typer.echo(f"{exports}, without what privacy rules take out, and cannot be taken up (--whole)", err=True)
    finished, cut_off = (sum(path.startswith(f"{folder}/") for path in done.put) for folder in ("runs", "unfinished"))
    others = [path for path in done.put if not path.startswith(("runs/", "unfinished/"))]
    unfinished = [f"{cut_off:,} that {'was' if cut_off == 1 else 'were'} cut off"] if cut_off else []
    parts = [f"{finished:,} run{'' if finished == 1 else 's'}", *unfinished, *others]
    if done.removed:
        parts.append(f"{len(done.removed):,} old ones taken out")
    changed = done.put or done.removed or done.verdicts or done.spent
    verdicts = f", {done.verdicts:,} verdict{'' if done.verdicts == 1 else 's'}" if done.verdicts else ""
    typer.echo(f"{how} {done.where}: {', '.join(parts)}{verdicts}" if changed else f"{done.where}: nothing new")
