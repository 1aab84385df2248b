from __future__ import annotations

from snapdrift.model import CallKey, JudgeModels, Outcome, Response, Source
from snapdrift.store.judging import JudgeTally


def verdict(variant: str, grader: str, returned: str | None, usd: float | None = 0.01, **changes: object) -> Response:
    fields: dict[str, object] = {"returned_model": returned, "usd": usd, **changes}
    outcome = fields.pop("outcome", Outcome.OK)
    return Response(CallKey("c0", variant, 0, grader), outcome, "gpt-4o", **fields)  # type: ignore[arg-type]


def test_money_is_counted_for_the_variant_that_was_judged_and_apart_by_batch() -> None:
    tally = JudgeTally(["a", "b", "c"])
    for response in (verdict("a", "x", "m"), verdict("a", "x", "m", batched=True), verdict("b", "x", "m", None)):
        tally.add(response)

    assert tally.usd == {"a": 0.02, "b": 0.0, "c": 0.0}
    assert tally.batch_usd == {"a": 0.01}


def test_models_are_counted_by_judge_and_a_judge_that_never_answered_is_there() -> None:
    tally = JudgeTally(["a"])
    for response in (
        verdict("a", "kind", "m1"),
        verdict("a", "kind", "m2", source=Source.SIMULATED),
        verdict("a", "kind", "m1"),
        verdict("a", "short", None, outcome=Outcome.API_ERROR),
    ):
        tally.add(response)

    assert tally.models == (
        JudgeModels("kind", "gpt-4o", {"m1": 2, "m2": 1}, ("openai", "simulated")),
        JudgeModels("short", "gpt-4o", {}, ()),
    )
