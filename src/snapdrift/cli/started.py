"""The texts of `init`: what was written, what to know of it, and what to do next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.cli.tables import joined
from snapdrift.scaffold.writing import Fate

if TYPE_CHECKING:
    from snapdrift.pipeline.starting import Started


def started(done: Started, folder: Path) -> str:
    """What became of each file, what the catalogue warns of, and the next three commands."""
    width = max(len(one.fate.value) for one in done.written)
    lines = [f"  {one.fate.value:<{width}}  {one.path}" for one in done.written]
    lines = [f"workspace {done.root}", *lines, "", *_compared(done)]
    lines += [f"note: {text}" for text in done.warnings]
    kept = any(one.path == done.config and one.fate is Fate.KEPT for one in done.written)
    there = "" if kept else ", where it stands as a comment to fill in"
    lines += [
        f'note: the price of {name} is not known. A live run that asks it needs [prices."{name}"] in {done.config}'
        f"{there}; the stand-in does not."
        for name in done.plan.unpriced
    ]
    if done.config_lines:
        lines += ["", f"{done.config} was there already. {_for_what(done)}, add to it:", ""]
        lines += [f"  {line}".rstrip() for line in done.config_lines.splitlines()]
    return joined([*lines, "", *_next(done, folder)])


def _for_what(done: Started) -> str:
    """What the lines are good for that a configuration lacks."""
    wanted = []
    if "[prices." in done.config_lines:
        wanted.append("for the prices to count")
    if "[standin." in done.config_lines or "standin." in done.config_lines:
        wanted.append("for the stand-in to answer these suites well")
    text = " and ".join(wanted)
    return text[:1].upper() + text[1:]


def mistakes(done: Started) -> str:
    """What is wrong with the workspace as it now is."""
    return (
        f"{done.mistakes}\n"
        "A file that was there already does not fit what was written: mend it, or let init replace it, --force FILE."
    )


def _compared(done: Started) -> list[str]:
    models, judge = done.plan.models, done.plan.judge
    if models.same:
        compared = f"compares two prompts on {models.current}"
    else:
        compared = f"compares {models.candidate} with {models.current}"
    judged = f"; {judge.model} judges" if judge is not None else ""
    return [compared + judged]


def _next(done: Started, folder: Path) -> list[str]:
    go = [f"first add the lines above to {done.config}"] if done.config_lines else []
    go += [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    cheap = next((kind.path for kind in done.plan.kinds if not kind.judged), done.suites[0])
    commands = [
        ("snapdrift run evals/*.yaml --standin", "simulated answers, no key; then open reports/index.html"),
        ("snapdrift plan evals/*.yaml", "what a live run would cost; nothing is sent"),
        (f"OPENAI_API_KEY=... snapdrift run {cheap}", "for real, within the suite's budget"),
    ]
    width = max(len(command) for command, _ in commands)
    return ["next:", *(f"  {line}" for line in go), *(f"  {command:<{width}}   {why}" for command, why in commands)]
