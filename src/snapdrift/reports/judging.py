"""Which replies of judges are of which answer: those about itself, and those about an equal one that it shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from snapdrift.model import CallKey, Response
from snapdrift.reports.data import RunData

SHARED = "verdict_of"
"""The fact of a score that names the answer whose verdict it is: equal questions are asked once."""


def replies_by_answer(data: RunData) -> Mapping[CallKey, Sequence[Response]]:
    """The responses of judges by the call of the answer that they are of; a shared one keeps its own call."""
    found: dict[CallKey, list[Response]] = defaultdict(list)
    for response in data.judged:
        found[replace(response.call, grader="")].append(response)
    if not found:
        return {}
    asked, graders = {str(key): tuple(replies) for key, replies in found.items()}, _graders(data)
    for score in data.scores:
        others = asked.get(str(score.facts.get(SHARED, "")), ())
        key = CallKey(score.case_id, score.variant, score.repeat)
        grader = graders.get(score.metric, score.metric)
        if others and not any(reply.call.judge == grader for reply in found[key]):
            found[key] += [reply for reply in others if reply.call.judge == grader]
    return found


def _graders(data: RunData) -> Mapping[str, str]:
    return {metric.name: metric.grader for metric in data.metrics}
