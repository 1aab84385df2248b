"""`snapdrift archive`: keeps a model's answers in one file, which later runs compare with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snapdrift.cli import options as o
from snapdrift.errors import UsageError

if TYPE_CHECKING:
    from snapdrift.pipeline import Archived

SHOW = "show"
_SUITES = (".yaml", ".yml")


def archive(
    what: Annotated[
        list[str],
        typer.Argument(help="A run, a suite file to be asked now, or `show FILE`.", metavar="RUN|SUITE|show FILE"),
    ],
    variant: Annotated[
        str | None, typer.Option("--variant", help="Whose answers (default: the baseline's).", metavar="NAME")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", "--out", help="The file to write (default in evals/archives/).", metavar="FILE"),
    ] = None,
    why: Annotated[str, typer.Option("--why", help="Why it is kept; reports say it.", metavar="TEXT")] = "",
    by: Annotated[str, typer.Option("--by", help="Who keeps it; reports say it.", metavar="NAME")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Also of a partial, incomplete, simulated or dirty-tree run.")
    ] = False,
    salt_env: Annotated[
        str | None,
        typer.Option(
            "--salt-env", help="The variable with a secret that left-out answers are hashed with.", metavar="VAR"
        ),
    ] = None,
    repeats: o.Repeats = None,
    gate: o.GateName = None,
    standin: o.Standin = False,
    recordings: o.Recordings = None,
    behaviour: o.Behaviour = None,
    host: o.HostName = None,
    base_url: o.BaseUrl = None,
    key_env: o.KeyEnv = None,
    max_usd: o.MaxUsd = None,
    deadline: o.Deadline = None,
    concurrency: o.Concurrency = None,
    fresh: o.Fresh = False,
    no_cache: o.NoCache = False,
    no_code: o.NoCode = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Keep a variant's answers, scores and where they are from in one file, to compare with once its model is gone.

    Of a run, or of a suite whose baseline is asked now, every case --repeats times. What the suite's `privacy` takes
    out is not in it. `show FILE` says what is in one.

    Examples:
      snapdrift archive latest --why "before the shutdown" --by "the triage team"
      snapdrift archive latest --variant november -o evals/archives/november.jsonl.gz
      snapdrift archive evals/ticket-triage.yaml --repeats 3 --max-usd 10
      snapdrift archive show evals/archives/word-problems-august.jsonl.gz
    """
    from snapdrift import pipeline
    from snapdrift.cli.printing import Printer

    if what[0] == SHOW:
        _show(what[1:], json=json)
        return
    if len(what) != 1:
        raise UsageError(f"archive: found {len(what)} names; expected one RUN or one SUITE")
    words = pipeline.ArchiveWords(why, by, force, _salt(salt_env))
    request = pipeline.ArchiveRequest(words, variant, out)
    asking: dict[str, object] = {"--repeats": repeats, "--gate": gate, "--standin": standin, "--recordings": recordings}
    if not what[0].endswith(_SUITES):
        asking |= {"--max-usd": max_usd, "--host": host, "--base-url": base_url, "--behaviour": behaviour}
        _require_unset(asking, what[0])
        made = pipeline.archive_run(what[0], request, pipeline.RunOptions(code=not no_code), Path.cwd())
        _tell(made, json=json)
        return
    with Printer(quiet=quiet, json=json) as printer:
        options = pipeline.RunOptions(
            env=o.environment(),
            gate=gate,
            selection=pipeline.Selection(repeats=repeats),
            target=o.target(standin, recordings, behaviour, host, base_url, key_env),
            limits=pipeline.Limits(max_usd, o.seconds(deadline), concurrency),
            fresh=fresh,
            code=not no_code,
            cache=not no_cache,
            command=o.command_line(),
            progress=printer.told,
            notice=printer.notice,
        )
        made = pipeline.archive_suite(Path(what[0]), request, options, Path.cwd())
    _tell(made, json=json)


def _show(files: Sequence[str], *, json: bool) -> None:
    from snapdrift import pipeline
    from snapdrift.cli import archived

    if len(files) != 1:
        raise UsageError(f"archive show: found {len(files)} files; expected one: snapdrift archive show FILE")
    shown = pipeline.show_archive(Path(files[0]))
    typer.echo(archived.as_json(shown) if json else archived.told(shown, Path(files[0])), nl=False)


def _require_unset(asking: Mapping[str, object], run: str) -> None:
    """Raises `UsageError` for an option that says how a suite is asked, where a run is archived."""
    for name, value in asking.items():
        if value:
            raise UsageError(f"{name} is for a suite that is asked now; {run} is a run, whose answers are there")


def _salt(variable: str | None) -> str:
    if variable is None:
        return ""
    salt = os.environ.get(variable, "")
    if len(salt) < 16:
        raise UsageError(f"--salt-env {variable}: found {len(salt)} characters in it; expected a secret of 16 or more")
    return salt


def _tell(made: Archived, *, json: bool) -> None:
    from snapdrift.cli import archived

    typer.echo(archived.as_json(made.archive, made.path) if json else archived.written(made), nl=False)
