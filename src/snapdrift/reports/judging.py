"""Which replies of judges are of which answer: those about itself, and those about an equal one that it shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from snapdrift.model import CallKey, Response
from snapdrift.reports.records import SHARED, CaseRecord


def replies_by_answer(record: CaseRecord, graders: Mapping[str, str]) -> Mapping[CallKey, Sequence[Response]]:
    """The responses of judges by the call of the answer that they are of; a shared one keeps its own call.

    `graders` are by metric. Answers to other cases, which only share theirs, are among them.
    """
    if not record.judged:
        return {}
    found: dict[CallKey, list[Response]] = defaultdict(list)
    for response in record.judged:
        found[replace(response.call, grader="")].append(response)
    asked = {str(key): tuple(replies) for key, replies in found.items()}
    for score in record.scores:
        others = asked.get(str(score.facts.get(SHARED, "")), ())
        key = CallKey(score.case_id, score.variant, score.repeat)
        grader = graders.get(score.metric, score.metric)
        if others and not any(reply.call.judge == grader for reply in found[key]):
            found[key] += [reply for reply in others if reply.call.judge == grader]
    return found
