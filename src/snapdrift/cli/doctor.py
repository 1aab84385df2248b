"""`snapdrift doctor`: what this machine and this key can do."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snapdrift.cli import completion as c
from snapdrift.cli import options as o
from snapdrift.cli.readable import readable

if TYPE_CHECKING:
    from snapdrift.pipeline import Checkup

FORMAT = "snapdrift.doctor/1"
Model = Annotated[
    str,
    typer.Option("--model", help="The model whose alias is looked at.", metavar="NAME", autocompletion=c.models),
]
Spend = Annotated[
    bool, typer.Option("--spend", help="Ask the model one tiny question (16 tokens of answer): it costs money.")
]
Json = Annotated[bool, typer.Option("--json", help=f"Print it as JSON (format `{FORMAT}`).")]


def doctor(
    standin: o.Standin = False,
    host: o.HostName = None,
    base_url: o.BaseUrl = None,
    key_env: o.KeyEnv = None,
    model: Model = "gpt-4o",
    spend: Spend = False,
    no_code: o.NoCode = False,
    json: Json = False,
) -> None:
    """Look at this machine, the workspace and the key: packages, disk, runs, clock, prices, the way to the host.

    Each line is ok, warn or bad, with how to mend it; the code is 0 where nothing is bad, else 2. The key is never
    shown. Nothing is asked that costs, unless --spend is given. Works offline, and says so.

    Examples:
      snapdrift doctor
      snapdrift doctor --host my-proxy --json
      snapdrift doctor --spend --model gpt-4o
    """
    from snapdrift import pipeline
    from snapdrift.pipeline.checkup import CheckupOptions

    target = o.target(standin, None, None, host, base_url, key_env)
    options = CheckupOptions(o.environment(), target, model, spend, code=not no_code)
    found = pipeline.examine_machine(options, Path.cwd())
    typer.echo(_document(found) if json else _lines(found))
    raise typer.Exit(found.exit_code)


def _lines(found: Checkup) -> str:
    width = max(len(check.name) for check in found.checks)
    lines = []
    for check in found.checks:
        lines.append(f"{check.level.value:<4}  {check.name:<{width}}  {readable(check.found)}")
        if check.mend:
            lines.append(f"{'':<{width + 6}}  -> {readable(check.mend)}")
    counts = [f"{sum(c.level.value == word for c in found.checks)} {word}" for word in ("ok", "warn", "bad")]
    return "\n".join([*lines, "", ", ".join(counts)])


def _document(found: Checkup) -> str:
    checks = [asdict(check) for check in found.checks]
    body = {"format": FORMAT, "exit_code": int(found.exit_code), "checks": checks}
    return json_module.dumps(body, indent=2, ensure_ascii=False)
