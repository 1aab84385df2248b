"""Options that several commands share, declared once, and the values they are turned into."""

from __future__ import annotations

import math
import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from snapdrift.cli import completion as c
from snapdrift.errors import UsageError
from snapdrift.keys import redact

if TYPE_CHECKING:
    from snapdrift.pipeline import EngineOptions, Shard, TargetOptions

SuitePaths = Annotated[
    list[Path],
    typer.Argument(help="Suite files (YAML), usually `evals/*.yaml`.", metavar="SUITE...", autocompletion=c.suites),
]
RunName = Annotated[
    str,
    typer.Argument(
        help="A run: its id (or the start of it), its file, or `latest`.", metavar="RUN", autocompletion=c.runs
    ),
]
GateName = Annotated[
    str | None,
    typer.Option("--gate", help="The gate that decides (default: `default`).", metavar="NAME", autocompletion=c.gates),
]
Standin = Annotated[bool, typer.Option("--standin", help="Ask the bundled local stand-in instead of a provider.")]
Recordings = Annotated[
    list[Path] | None,
    typer.Option(
        "--recordings", help="Recorded answers that the stand-in serves (JSONL, .gz). Repeatable.", metavar="FILE"
    ),
]
Behaviour = Annotated[
    str | None,
    typer.Option(
        "--behaviour",
        help="Simulated behaviour of the stand-in for every variant.",
        metavar="NAME",
        autocompletion=c.behaviours,
    ),
]
Faults = Annotated[
    str | None,
    typer.Option("--faults", help="Faults that the stand-in injects, `429=0.02,500=0.01`; `none`.", metavar="SPEC"),
]
StandinLog = Annotated[
    Path | None, typer.Option("--standin-log", help="Where the stand-in logs requests (JSONL).", metavar="FILE")
]
HostName = Annotated[
    str | None,
    typer.Option("--host", help="A host declared in snapdrift.toml.", metavar="NAME", autocompletion=c.hosts),
]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="An OpenAI-compatible API, with /v1.", metavar="URL")]
KeyEnv = Annotated[
    str | None, typer.Option("--key-env", help="The variable that holds the key for --base-url.", metavar="VAR")
]
Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        help="Only this variant. Repeatable; not gated without the baseline.",
        metavar="NAME",
        autocompletion=c.variants,
    ),
]
Cases = Annotated[
    list[str] | None,
    typer.Option("--case", help="Only this case. Repeatable; not gated.", metavar="ID", autocompletion=c.cases),
]
Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", help="Only cases with this tag. Repeatable; not gated.", metavar="TAG", autocompletion=c.tags
    ),
]
Failed = Annotated[
    list[str] | None,
    typer.Option(
        "--failed",
        help="Only cases that failed on a candidate in this run of the suite, or were not measured; `latest` is the "
        "suite's newest. Repeatable, for several suites; not gated.",
        metavar="RUN",
    ),
]
SampleSize = Annotated[
    int | None, typer.Option("--sample", min=1, help="Ask this many cases, drawn by the suite's seed.")
]
Repeats = Annotated[int | None, typer.Option("--repeats", min=1, help="Ask each case this many times.")]
MaxUsd = Annotated[
    float | None,
    typer.Option(
        "--max-usd",
        min=0,
        help="A hard ceiling in dollars for the whole command.",
        metavar="X",
        callback=lambda usd: _dollars(usd),
    ),
]
Deadline = Annotated[
    str | None, typer.Option("--deadline", help="End in time, with a report: `90s`, `20m`, `2h`.", metavar="TIME")
]
Concurrency = Annotated[
    int | None, typer.Option("--concurrency", min=1, help="Requests in flight at most.", metavar="N")
]
EngineName = Annotated[
    str | None,
    typer.Option("--engine", help="Who asks: `local` (this process) or `ray` (workers on Ray).", metavar="NAME"),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        help="The Ray cluster (`HOST:PORT`, `auto`); without it one on this machine.",
        metavar="ADDRESS",
    ),
]
ShardText = Annotated[
    str | None,
    typer.Option(
        "--shard", help="Ask only part I of N of each suite, for `snapdrift merge`; not gated by itself.", metavar="I/N"
    ),
]
OutDir = Annotated[
    Path | None, typer.Option("--out", help="Where reports go (default `reports/<suite>/<run-id>/`).", metavar="DIR")
]
Junit = Annotated[Path | None, typer.Option("--junit", help="Also write junit.xml here.", metavar="PATH")]
Summary = Annotated[Path | None, typer.Option("--summary", help="Also write summary.md here.", metavar="PATH")]
Verdict = Annotated[
    Path | None, typer.Option("--verdict", help="Also write what --json would print here.", metavar="PATH")
]
Annotations = Annotated[
    str,
    typer.Option(
        "--annotations",
        help="Where GitHub's annotations at file and line go: `auto` (to stderr under GitHub Actions, else nowhere), "
        "`off`, or a file to add them to.",
        metavar="WHERE",
    ),
]
ReportUrl = Annotated[
    str | None,
    typer.Option(
        "--report-url",
        envvar="SNAPDRIFT_REPORT_URL",
        help="Where readers will find the page: linked in summary.md and junit.xml.",
        metavar="URL",
        callback=lambda url: _web_address(url),
    ),
]
Split = Annotated[
    float | None,
    typer.Option(
        "--split",
        help="Beyond so many megabytes, put the answers on pages beside the index.",
        metavar="MB",
        callback=lambda megabytes: _megabytes(megabytes),
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON (the format of verdict.json).")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress; one line of result a suite, its report and its run.")
]
BaselineRef = Annotated[
    str | None,
    typer.Option(
        "--baseline-ref",
        help="Compare each candidate with what it was at a git ref (`main`, `merge-base`), in place of the gate's "
        "baseline.",
        metavar="REF",
    ),
]
Changed = Annotated[
    str | None,
    typer.Option(
        "--changed",
        help="Only suites whose files changed since this branch left REF (`main`, `merge-base`).",
        metavar="REF",
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start anew, where the same run was made before.")]

NoCache = Annotated[bool, typer.Option("--no-cache", help="Ask anew what an earlier run has the answer to.")]

NoCode = Annotated[
    bool,
    typer.Option(
        "--no-code",
        help="Refuse code that is not Snapdrift's own: Python graders, applications and fakes, grader families of "
        "installed packages, report templates, api_key_cmd.",
    ),
]
EarlyStop = Annotated[
    bool, typer.Option("--early-stop", help="End asking once the gate is resolved, as `early_stop: true` does.")
]
Extend = Annotated[
    bool,
    typer.Option("--extend", help="Go on topping up a finished run whose gate says `inconclusive: extend`."),
]
Batch = Annotated[bool, typer.Option("--batch", help="Ask by the Batch API: half the price, within a day. Judges too.")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Do not wait for batches; `snapdrift resume` collects them (exit code 3).")
]
RetryMissing = Annotated[
    bool, typer.Option("--retry-missing", help="Submit again what an ended batch did not answer, once.")
]

URL_LIMIT = 2_000
"""Characters of an address that is linked: longer ones do not open everywhere."""

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smh]?)")
_SHARD = re.compile(r"(?P<index>[1-9]\d{0,3})/(?P<count>[1-9]\d{0,3})")
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def target(
    standin: bool,
    recordings: list[Path] | None,
    behaviour: str | None,
    host: str | None,
    base_url: str | None,
    key_env: str | None,
    faults: str | None = None,
    standin_log: Path | None = None,
) -> TargetOptions:
    """Where requests go; naming recordings or a behaviour asks for the stand-in."""
    from snapdrift.pipeline import TargetOptions

    return TargetOptions(
        standin=standin or bool(recordings) or behaviour is not None,
        recordings=tuple(recordings or ()),
        behaviour=behaviour,
        faults=faults,
        standin_log=standin_log,
        host=host,
        base_url=base_url,
        key_env=key_env,
    )


def _dollars(usd: float | None) -> float | None:
    """The same amount; `inf`, which reads as a number, would be no ceiling at all."""
    from snapdrift.model import MOST_USD

    if usd is not None and not 0 <= usd <= MOST_USD:
        raise typer.BadParameter(f"found {usd:g}; expected at most {MOST_USD:,.0f} dollars")
    return usd


def _megabytes(megabytes: float | None) -> float | None:
    """The same size; a page of no size cannot be."""
    if megabytes is not None and not 0 < megabytes < math.inf:
        raise typer.BadParameter(f"found {megabytes:g}; expected megabytes above 0, such as 8")
    return megabytes


def _web_address(url: str | None) -> str | None:
    """The same address; it is published, so that what is none, or has a password in it, is refused."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url or len(url) > URL_LIMIT:
        raise typer.BadParameter(
            f"found {url[:200]!r}; expected the page's address, `https://...`, without spaces or control characters, "
            f"of at most {URL_LIMIT:,} characters"
        )
    if "@" in parts.netloc:
        raise typer.BadParameter("found an address with a name or password in it; it would be published")
    return url


def seconds(text: str | None) -> float | None:
    """A duration such as `20m` in seconds; a bare number is seconds."""
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None or float(match["number"]) <= 0:
        raise UsageError(f"--deadline: found {text!r}; expected a time such as 90s, 20m or 2h")
    return float(match["number"]) * _SECONDS[match["unit"]]


def engine(name: str | None, ray_address: str | None) -> EngineOptions:
    """Who asks; a Ray cluster is for the engine `ray`."""
    from snapdrift.pipeline import EngineOptions

    if name not in (None, "local", "ray"):
        raise UsageError(f"--engine: found {name!r}; expected local or ray")
    if ray_address and name != "ray":
        raise UsageError(f"--ray-address: found {ray_address!r} without --engine ray; add it, or leave the address out")
    return EngineOptions(name == "ray", ray_address)


def shard(text: str | None) -> Shard | None:
    """Which part is asked, `2/4` being the second of four."""
    from snapdrift.pipeline import Shard

    if text is None:
        return None
    match = _SHARD.fullmatch(text.strip())
    if match is None or int(match["index"]) > int(match["count"]):
        raise UsageError(f"--shard: found {text!r}; expected I/N, such as 2/4 for the second of four shards")
    return Shard(int(match["index"]), int(match["count"]))


def command_line() -> str:
    """The command as it was typed, for the run's provenance. No option takes a key; one that was typed is taken out."""
    return redact(shlex.join(["snapdrift", *sys.argv[1:]]))


def tell(text: str) -> None:
    """A sentence that a person should see, beside the results: on stderr."""
    typer.echo(text, err=True)


def environment() -> dict[str, str]:
    """The process environment, read here and nowhere below."""
    return dict(os.environ)
