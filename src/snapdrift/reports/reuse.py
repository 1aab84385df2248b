"""What a report says of answers that earlier runs received: how many, how old, and what that means for a comparison."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from snapdrift.conclusions import ReusedAnswers, VariantSummary
from snapdrift.model import Endpoint
from snapdrift.reports.figures import count, usd

REUSED = "reused answers"
"""The label of a run that has any."""
_RUNS = 3
_CONFOUNDED = (
    "They were not asked beside the answers of this run: a change at the provider in between looks like a difference "
    "between variants. Nothing was paid for them and no latency was measured; `--no-cache` asks anew."
)


def reused_sentence(summaries: Iterable[VariantSummary], started_at: str) -> str:
    """Which answers of a run that started then (ISO 8601) are of earlier runs; empty where none is."""
    variants = [one for one in summaries if one.endpoint is not Endpoint.ARCHIVE]  # of which a label of its own tells
    told = [_of_variant(one.name, one.planned, one.reused, started_at) for one in variants if one.reused is not None]
    judged = sum(one.judge_reused for one in variants)
    if judged:
        told.append(f"{count(judged)} of the judges' replies are reused.")
    return " ".join([*told, _CONFOUNDED]) if told else ""


def age_of(moment: str, until: str) -> str:
    """How long before a moment another was, both ISO 8601: `3 days`, `5 hours`, `less than a minute`."""
    try:
        then, now = _utc(moment), _utc(until)
    except ValueError:
        return "an unknown time"
    seconds = max(0.0, (now - then).total_seconds())
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        number = int(seconds // size)
        if number:
            return f"{count(number)} {name}{'' if number == 1 else 's'}"
    return "less than a minute"


def age_days(moment: str, until: str) -> float | None:
    """The same in days, None where one of them is no time."""
    try:
        return round(max(0.0, (_utc(until) - _utc(moment)).total_seconds() / 86400), 3)
    except ValueError:
        return None


def _utc(moment: str) -> datetime:
    read = datetime.fromisoformat(moment)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _of_variant(name: str, planned: int, reused: ReusedAnswers, started_at: str) -> str:
    ages = list(dict.fromkeys(age_of(moment, started_at) for moment in (reused.newest, reused.oldest)))
    hidden = len(reused.runs) - _RUNS
    runs = ", ".join(reused.runs[:_RUNS]) + (f" and {hidden} more" if hidden > 0 else "")
    cost = "" if reused.usd is None else f", for {usd(reused.usd)} then"
    whose = f"run{'' if len(reused.runs) == 1 else 's'} {runs}"
    return (
        f"{count(reused.calls)} of {count(planned)} answers of `{name}` are reused: {whose} received them "
        f"{' to '.join(ages)} before this run{cost}."
    )
