"""What a shell is offered when Tab is pressed: gates, variants, cases, tags, runs, models, hosts, behaviours.

Each function gets what was typed so far, on every Tab: it reads as little as it can, within bounds, and never raises,
for a shell has nowhere to show an error. Suites are read as an outline (`outline`), not loaded: they may be half
written, or somebody else's.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import typer

Complete = Callable[[typer.Context, str], list[str]]
BEHAVIOURS = (
    "plausible",
    "exact",
    "august",
    "november",
    "terse",
    "careful",
    "sloppy",
    "drops_field",
    "refuses",
    "truncates",
    "chatty",
    "flaky",
    "clumsy",
    "endless",
    "judge",
)
"""The stand-in's own: named here, because importing it takes most of a second."""
TEMPLATES = ("classify", "extract", "chat")
LIMIT = 200
"""Words that a shell is offered at most."""
MOST_SUITES = 50
_PLAIN = re.compile(r"[\w./:@%+=,-]+")
"""What is offered: zsh evaluates what it is given, and words of a suite may be somebody else's."""


def _offering(found: Callable[[typer.Context], Iterable[str]]) -> Complete:
    """A function for typer of one that yields words: those that begin as typed, each once; none where it fails."""

    @functools.wraps(found)
    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        words: dict[str, None] = {}
        try:
            for word in found(ctx):
                if word.startswith(incomplete) and _PLAIN.fullmatch(word):
                    words[word] = None
                if len(words) == LIMIT:
                    break
        except Exception:  # noqa: BLE001  what cannot be read is offered nothing of
            return list(words)
        return list(words)

    del complete.__wrapped__  # typer reads the signature, and has to see this one
    return complete


@_offering
def suites(_: typer.Context) -> Iterable[str]:
    """The suites of the workspace, as paths from here."""
    folder = Path("evals")
    return (str(path) for path in sorted(folder.rglob("*.y*ml"))[:MOST_SUITES])


@_offering
def gates(ctx: typer.Context) -> Iterable[str]:
    """The gates of the suites that were typed, or of all there are."""
    for suite in _outlines(ctx):
        yield from _keys(suite.get("gates"))
        if "gate" in suite:
            yield "default"


@_offering
def variants(ctx: typer.Context) -> Iterable[str]:
    """Their variants, those of the short form `models` too."""
    for suite in _outlines(ctx):
        yield from _keys(suite.get("variants"))
        listed = suite.get("models")
        yield from map(str, listed.values() if isinstance(listed, dict) else ())


@_offering
def cases(ctx: typer.Context) -> Iterable[str]:
    """The ids of their first cases."""
    from snapdrift.cli.outlines import rows_of

    for suite in _outlines(ctx):
        yield from (str(row["id"]) for row in rows_of(suite, _root()) if "id" in row)


@_offering
def tags(ctx: typer.Context) -> Iterable[str]:
    """The tags of their first cases."""
    from snapdrift.cli.outlines import rows_of, tags_of

    for suite in _outlines(ctx):
        for row in rows_of(suite, _root()):
            yield from tags_of(row)


@_offering
def suite_names(_: typer.Context) -> Iterable[str]:
    """The names of the suites there are."""
    return (path.stem for path in sorted((_root() / "evals").rglob("*.y*ml"))[:MOST_SUITES])


@_offering
def runs(_: typer.Context) -> Iterable[str]:
    """`latest`, and the runs of the state folder, newest first. No run file is opened."""
    yield "latest"
    folder = _root() / str(_config().get("state") or ".snapdrift") / "runs"
    yield from sorted((path.stem for path in folder.glob("*.db")), reverse=True)


@_offering
def models(_: typer.Context) -> Iterable[str]:
    """The models of the catalogue, and those of the workspace."""
    from snapdrift.cli.outlines import outline

    bundled = Path(__file__).parents[1] / "openai_api" / "catalog.yaml"
    yield from outline(bundled, depth=2).get("models", {})
    yield from _keys(_config().get("models"))


@_offering
def hosts(_: typer.Context) -> Iterable[str]:
    """The hosts that the workspace declares."""
    return _keys(_config().get("hosts"))


@_offering
def behaviours(_: typer.Context) -> Iterable[str]:
    """The stand-in's behaviours, and those of the workspace."""
    yield from BEHAVIOURS
    yield from _config().get("standin", {}).get("behaviours", {})


@_offering
def templates(_: typer.Context) -> Iterable[str]:
    """The kinds of task that `init` can start with."""
    return TEMPLATES


def _keys(value: Any) -> Iterable[str]:
    """The keys of a mapping, none of anything else."""
    return value if isinstance(value, dict) else ()


def _outlines(ctx: typer.Context) -> Iterable[dict[str, Any]]:
    """The suites that were typed before the cursor; without any, all there are."""
    from snapdrift.cli.outlines import outline

    typed = ctx.params.get("suites") or ctx.params.get("suite") or ()
    paths = [Path(path) for path in ([typed] if isinstance(typed, str | Path) else typed)]
    found = [path for path in paths if path.is_file()]
    for path in (found or sorted((_root() / "evals").rglob("*.y*ml")))[:MOST_SUITES]:
        yield outline(path, depth=3)


def _root() -> Path:
    """The folder of the workspace: the nearest upwards that has a configuration or suites."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "snapdrift.toml").is_file() or (folder / "evals").is_dir():
            return folder
    return here


def _config() -> dict[str, Any]:
    """The configuration as it is written, unchecked; empty where it cannot be read."""
    import tomllib

    root = _root()
    for name, table in (("snapdrift.toml", ()), ("pyproject.toml", ("tool", "snapdrift"))):
        path = root / name
        if not path.is_file():
            continue
        value: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        for key in table:
            value = value.get(key, {})
        return value if isinstance(value, dict) else {}
    return {}
