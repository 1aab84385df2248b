"""`snapdrift standin`: serves the OpenAI protocol on loopback until it is ended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def standin(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port on 127.0.0.1; 0 picks one.")] = 0,
    recordings: Annotated[
        list[Path] | None,
        typer.Option("--recordings", help="Recorded answers (JSONL, .gz). Repeatable.", metavar="FILE"),
    ] = None,
    behaviour: Annotated[
        str | None,
        typer.Option("--behaviour", help="Simulated behaviour; with recordings, where none fits.", metavar="NAME"),
    ] = None,
    answers: Annotated[
        list[Path] | None,
        typer.Option(
            "--answers", help="Datasets (JSONL, .gz, CSV) with the right answers. Repeatable.", metavar="FILE"
        ),
    ] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option("--alias", help="What an alias stands for, gpt-4o=gpt-4o-2024-11-20. Repeatable.", metavar="A=B"),
    ] = None,
    latency: Annotated[
        str, typer.Option("--latency", help="Milliseconds, or lognormal:MEDIAN,P95.", metavar="SPEC")
    ] = "",
    faults: Annotated[
        str,
        typer.Option(
            "--faults",
            help="Faults by rate, 429=0.02,first=500+reset, or a YAML or JSON file of rules.",
            metavar="SPEC",
        ),
    ] = "",
    log: Annotated[
        Path | None, typer.Option("--log", help="Where requests are logged (JSONL).", metavar="FILE")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="What simulated answers and faults are drawn from.")] = 0,
    rpm: Annotated[int | None, typer.Option("--rpm", min=1, help="Requests a minute, enforced with 429.")] = None,
    tpm: Annotated[int | None, typer.Option("--tpm", min=1, help="Tokens a minute, enforced with 429.")] = None,
    burst: Annotated[
        int | None,
        typer.Option(
            "--burst", min=1, help="Requests of --rpm that may come at once (default: a minute's).", metavar="N"
        ),
    ] = None,
    quota: Annotated[
        int | None, typer.Option("--quota", min=0, help="Answers after which the quota is used up.", metavar="N")
    ] = None,
    today: Annotated[
        str | None,
        typer.Option("--today", help="The day it is taken to be: models shut down by then are gone.", metavar="DATE"),
    ] = None,
    limit_headers: Annotated[
        bool, typer.Option("--limit-headers/--no-limit-headers", help="Whether rate limits are told in headers.")
    ] = True,
    prompt_caching: Annotated[
        bool, typer.Option("--prompt-caching/--no-prompt-caching", help="Whether repeated prompts count as cached.")
    ] = True,
    overbill: Annotated[
        str,
        typer.Option(
            "--overbill",
            help="Report so many times the tokens that answers take (3), or of a share of them (3:0.1).",
            metavar="X",
        ),
    ] = "",
    batch_queue: Annotated[
        int | None,
        typer.Option("--batch-queue", min=1, help="Input tokens that a model's batches may have waiting.", metavar="N"),
    ] = None,
    batch_speed: Annotated[
        float | None,
        typer.Option(
            "--batch-speed",
            min=0.001,
            help="Seconds that pass for batches in each second (default: each look takes them a status further).",
            metavar="X",
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--require-key", help="The only key that is accepted (default: any).", metavar="KEY")
    ] = None,
) -> None:
    """Serve the OpenAI protocol on loopback: recorded or simulated answers, never a measurement.

    The address is printed as one line of JSON. Ends with Ctrl-C or SIGTERM.

    Examples:
      snapdrift standin --port 8080 --behaviour august --answers datasets/tickets.jsonl
      snapdrift standin --recordings recordings.jsonl.gz --faults 429=0.02,retry_after=1 --log requests.jsonl
      snapdrift standin --faults faults.yaml --today 2026-11-22 --rpm 500
    """
    from snapdrift.standin.config import StandinConfig
    from snapdrift.standin.server import announcement, serve

    profile = {"recordings": recordings or (), "answers": answers or (), "behaviour": behaviour}
    config = StandinConfig.checked(
        {
            "profiles": [profile],
            "alias": dict(map(_alias, alias or ())),
            "latency": latency,
            "faults": faults,
            "log": log,
            "seed": seed,
            "limits": {"rpm": rpm, "tpm": tpm, "burst": burst, "quota_requests": quota, "headers": limit_headers},
            "batches": {"enqueued_tokens": batch_queue, "speed": batch_speed},
            "prompt_caching": prompt_caching,
            "overbill": overbill,
            "today": today,
            "key": key,
        }
    )
    try:
        serve(config, port, lambda base_url: typer.echo(announcement(base_url)))
    except KeyboardInterrupt:  # that is how it is meant to end
        raise typer.Exit from None


def _alias(text: str) -> tuple[str, str]:
    from snapdrift.errors import UsageError

    name, _, snapshot = text.partition("=")
    if not name or not snapshot:
        raise UsageError(f"--alias: found {text!r}; expected ALIAS=SNAPSHOT, as in gpt-4o=gpt-4o-2024-11-20")
    return name, snapshot
