"""What all families share: when they apply, outcomes, extraction, `not`, and never failing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.marks import Mark
from snapdrift.graders.registry import Registry
from snapdrift.graders.scoring import grade
from snapdrift.model import Case, Failure, FailureKind, Outcome, Reason, Response, Score, ScoreKind

Parse = Callable[..., Grader]
Answered = Callable[..., Response]
Scored = Callable[..., Score]

CASE = Case("c1", {"pattern": "(a+)+$"}, {"queue": "billing", "total": 3}, ("reply",))
FUNCTION = {"target": "graders/own.py:grade", "sha256": "0" * 64}
JUDGE = {"criteria": "Polite.", "model": "gpt-4o-2024-11-20"}
ENTRIES: dict[str, dict[str, Any]] = {
    "exact": {"exact": "{{ expected.queue }}"},
    "contains": {"contains": {"any": ["{{ expected.queue }}", "x"], "none": ["never"]}},
    "regex": {"regex": "^bil+ing$"},
    "number": {"number": "{{ expected.total }}"},
    "choice": {"choice": ["billing", "sales"], "expected": "{{ expected.queue }}"},
    "starts_with": {"starts_with": "{{ expected.queue }}"},
    "ends_with": {"ends_with": ["{{ expected.queue }}", "."]},
    "date": {"date": "2025-01-{{ expected.total }}1"},
    "duration": {"duration": "{{ expected.total }} h", "number_unit": "hours"},
    "set": {"set": ["{{ expected.queue }}"], "measure": "f1", "split": ","},
    "similarity": {"similarity": "{{ expected.queue }}", "measure": "rouge_l", "at_least": 0.5},
    "count": {"count": "words", "at_most": 3},
    "refusal": {"refusal": "{{ expected.total == 4 }}"},
    "schema": {"schema": {"type": "object", "required": ["queue"]}},
    "json_equal": {"json_equal": "{{ expected }}"},
    "path": {"path": {"queue": {"equals": "{{ expected.queue }}"}, "total": {"at_least": 1}, "note": "absent"}},
    "well_formed": {"well_formed": "yaml"},
    "tool_calls": {"tool_calls": [{"name": "route", "arguments": {"queue": "billing"}}]},
    "trajectory": {"trajectory": {"in_order": ["route"], "steps": {"at_most": 3}}},
    "judge": {"judge": JUDGE},
    "python": {"python": FUNCTION},
    "all": {"all": [{"exact": "{{ expected.queue }}"}, {"regex": "bill"}]},
    "any": {"any": [{"exact": "{{ expected.queue }}"}, {"number": "{{ expected.total }}"}]},
    "weighted": {"weighted": [{"weight": 2, "grader": {"contains": "bill"}}, {"grader": {"exact": "billing"}}]},
    # They accept every outcome of a model unless an entry says otherwise.
    "latency": {"latency": 2.5, "accepts": ["ok"]},
    "first_token": {"first_token": 0.5, "accepts": ["ok"]},
    "cost": {"cost": 0.01, "accepts": ["ok"]},
    "output_tokens": {"output_tokens": 100, "accepts": ["ok"]},
    "finish_reason": {"finish_reason": "stop", "accepts": ["ok"]},
    "cached_share": {"cached_share": 0.5, "accepts": ["ok"]},
    "pairwise": {"pairwise": JUDGE},
}
NEVER_INVERTED = {"pairwise"}
"""Families that refuse `not`: a preference is turned round by comparing the other way round."""
HOSTILE = {
    "a megabyte": "billing " * 130_000,
    "a megabyte of digits": "1" * 1_000_000,
    "a megabyte of thousands": "1,22" * 250_000,
    "deep nesting": '{"queue":' * 100_000,
    "deep but closed": "[" * 5_000 + "]" * 5_000,
    "half a surrogate": "billing \ud800",
    "half a surrogate in JSON": '{"queue": "\\ud800", "total": 3}',
    "half a surrogate as a key": '{"\\udfff": {"queue": "billing"}}',
    "NaN": '{"queue": NaN, "total": Infinity}',
    "huge numbers": '{"queue": 1e400, "total": ' + "9" * 4_000 + "}",
    "a long integer": '{"queue": "billing", "total": ' + "9" * 900 + "}",
    "a template": "{{ expected.queue }}{% raw %}",
    "control characters": '{"queue": "bil\x00ling\x1b[31m"}',
    "nothing": "",
}


def test_every_family_has_an_entry_in_these_tables() -> None:
    assert set(ENTRIES) == set(Registry().families())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("family", ENTRIES)
def test_a_hostile_answer_gets_one_storable_score_a_metric(
    family: str, text: str, parse: Parse, answer: Answered
) -> None:
    grader = parse(ENTRIES[family], [CASE])

    scores = grader.grade(CASE, answer(text))

    assert [score.metric for score in scores] == [metric.name for metric in grader.metrics]
    stored = json.dumps(
        [[s.value, s.detail, s.extracted, s.evidence] for s in scores], ensure_ascii=False, allow_nan=False
    )
    assert len(stored.encode()) < 100_000


@pytest.mark.parametrize("family", ENTRIES)
def test_an_outcome_that_is_not_accepted_scores_the_worst_and_is_named(
    family: str, parse: Parse, answer: Answered
) -> None:
    grader = parse(ENTRIES[family], [CASE])

    scores = grader.grade(CASE, answer("billing", Outcome.TRUNCATED))

    worst = [0.0 if metric.higher_is_better else 1.0 for metric in grader.metrics]
    assert [(s.value, s.passed, s.reason) for s in scores] == [(w, False, Reason.NOT_ACCEPTED) for w in worst]
    assert all("truncated" in s.detail for s in scores)


@pytest.mark.parametrize("outcome", [o for o in Outcome if not o.measured])
@pytest.mark.parametrize("family", ENTRIES)
def test_infrastructure_failures_are_not_scored(family: str, outcome: Outcome, parse: Parse, answer: Answered) -> None:
    failure = Failure(FailureKind.SERVER, "down", retryable=True)

    assert parse(ENTRIES[family], [CASE]).grade(CASE, answer("", outcome, failure=failure)) == ()


@pytest.mark.parametrize("family", ENTRIES)
def test_resolving_and_parsing_again_gives_an_equal_grader(family: str, parse: Parse) -> None:
    shared = {"when": {"tag": "reply"}, "not": family not in NEVER_INVERTED, "accepts": ["ok", "refused"]}
    first = parse({**ENTRIES[family], **shared}, [CASE])

    again = parse(first.resolved(), [], default_extract="last_line")

    assert (again, again.version, again.metrics) == (first, first.version, first.metrics)


@pytest.mark.parametrize("family", ENTRIES)
def test_a_resolved_entry_is_plain_json(family: str, parse: Parse) -> None:
    resolved = parse(ENTRIES[family], [CASE]).resolved()

    assert json.loads(json.dumps(resolved, allow_nan=False)) == resolved


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    family=st.sampled_from(sorted(ENTRIES)),
    text=st.text(),
    outcome=st.sampled_from(list(Outcome)),
    negate=st.booleans(),
)
def test_every_measured_response_gets_exactly_one_score_a_metric_and_no_other_any(
    parse: Parse, answer: Answered, family: str, text: str, outcome: Outcome, negate: bool
) -> None:
    grader = parse({**ENTRIES[family], "not": negate and family not in NEVER_INVERTED}, [CASE])

    scores = grader.grade(CASE, answer(text, outcome))

    assert [s.metric for s in scores] == ([m.name for m in grader.metrics] if outcome.measured else [])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    family=st.sampled_from(sorted(set(ENTRIES) - {"judge"} - NEVER_INVERTED)),
    text=st.sampled_from(["billing", "sales", "3", '{"queue": "billing"}', '{"queue": 1, "total": 3}', "{}", ""])
    | st.text(),
)
def test_not_inverts_judgements_and_nothing_else(parse: Parse, answer: Answered, family: str, text: str) -> None:
    plain = parse(ENTRIES[family], [CASE]).grade(CASE, answer(text))
    inverted = parse({**ENTRIES[family], "not": True}, [CASE]).grade(CASE, answer(text))

    for before, after in zip(plain, inverted, strict=True):
        if before.reason in (Reason.PASSED, Reason.WRONG, Reason.SCHEMA_VIOLATION):
            assert (after.value, after.passed) == (1 - (before.value or 0.0), not before.passed)
        else:
            assert (after.value, after.passed, after.reason) == (before.value, before.passed, before.reason)


def test_a_grader_with_a_tag_applies_to_the_cases_that_have_it(parse: Parse, answer: Answered) -> None:
    grader = parse({"exact": "x", "when": {"tags": ["a", "b"]}})

    assert [len(grader.grade(Case("c1", tags=tags), answer("x"))) for tags in [("b", "c"), ("c",), ()]] == [1, 0, 0]
    assert grader.tags == ("a", "b")


def test_a_refusal_that_is_accepted_is_graded_by_its_own_text(parse: Parse, answer: Answered) -> None:
    grader = parse({"contains": "can't", "accepts": ["ok", "refused"]})

    (score,) = grader.grade(Case("c1"), answer("", Outcome.REFUSED, refusal="I can't help with that."))

    assert score.passed


def test_the_score_keeps_what_was_extracted_and_by_which_alternative(parse: Parse, answer: Answered) -> None:
    grader = parse({"exact": "b", "extract": [{"json": "a"}, "last_line"]})

    (score,) = grader.grade(Case("c1"), answer("x\nb"))

    assert (score.extracted, score.extracted_by, score.reason) == ("b", 1, Reason.PASSED)


def test_a_template_that_fails_on_a_case_is_a_grader_error_with_its_reason(parse: Parse, answer: Answered) -> None:
    (score,) = parse({"exact": "{{ expected.queue }}"}).grade(Case("c1"), answer("x"))

    assert (score.value, score.passed, score.reason) == (None, None, Reason.GRADER_ERROR)
    assert "expected" in score.detail or "queue" in score.detail


class Broken(Grader):
    """A family with a defect."""

    family: ClassVar[str] = "broken"
    kind: ClassVar[ScoreKind] = ScoreKind.PASS_FAIL

    def mark(self, case: Case, value: Any) -> Mark:
        return Mark.of(passed=value[10] == case.id)


def test_a_defect_in_a_family_is_a_grader_error_and_no_crash(answer: Answered) -> None:
    (score,) = grade(Broken(name="broken"), Case("c1"), answer("short"))

    assert (score.reason, score.detail) == (
        Reason.GRADER_ERROR,
        "the grader failed: IndexError: string index out of range",
    )


class Silent(Broken):
    """A family that forgets its metric."""

    def marks(self, case: Case, value: Any) -> dict[str, Mark]:
        del case, value
        return {}


def test_a_metric_that_a_family_says_nothing_about_is_a_grader_error(answer: Answered) -> None:
    (score,) = grade(Silent(name="silent"), Case("c1"), answer("text"))

    assert score.reason is Reason.GRADER_ERROR


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan")])
def test_a_mark_outside_the_scale_cannot_be_made(value: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        Mark.graded(value, passed=True)


def test_a_mark_without_a_value_is_a_grader_error_or_it_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="cannot have value"):
        Mark(None, None, Reason.WRONG)


def test_the_version_names_the_family_and_follows_the_settings_but_not_the_name(parse: Parse) -> None:
    plain = parse({"exact": "x"}).version

    assert plain.startswith("exact/1:")
    assert parse({"exact": "x", "name": "other"}).version == plain
    assert parse({"exact": "y"}).version != plain
    assert parse({"exact": "x", "extract": "last_line"}).version != plain


def test_the_version_follows_the_content_of_a_file(parse: Parse) -> None:
    versions = {
        parse({"schema": "s.json"}, files={"s.json": text}).version
        for text in ('{"type": "object"}', '{ "type":"object" }', '{"type": "array"}')
    }

    assert len(versions) == 2


SETTINGS: tuple[tuple[dict[str, Any], tuple[dict[str, Any], ...]], ...] = (
    ({"exact": "x"}, ({"normalise": "casefold"},)),
    ({"contains": "x"}, ({"contains": {"any": ["x", "y"]}}, {"normalise": "casefold"})),
    ({"regex": "x"}, ({"regex": "y"},)),
    ({"number": 1}, ({"number": 2}, {"absolute": 0.5}, {"relative": 0.5})),
    ({"choice": ["a", "b"], "expected": "a"}, ({"choice": ["a", "b", "c"]}, {"expected": "b"})),
    ({"starts_with": "x"}, ({"starts_with": ["x", "y"]}, {"normalise": "casefold"})),
    ({"ends_with": "x"}, ({"ends_with": ["x", "y"]}, {"normalise": "casefold"})),
    ({"date": "2025-01-31"}, ({"date": "2025-01-30"}, {"order": "day_first"}, {"within": 1})),
    ({"duration": "1 h"}, ({"duration": "2 h"}, {"within": 1.5}, {"clock": "hours"}, {"number_unit": "hours"})),
    (
        {"set": ["a"], "split": ",", "measure": "f1"},
        ({"set": ["a", "b"]}, {"split": ";"}, {"measure": "recall_of"}, {"at_least": 0.5}, {"none_found": "empty"}),
    ),
    (
        {"similarity": "x", "measure": "edit"},
        ({"similarity": "y"}, {"measure": "rouge_2"}, {"at_least": 0.5}, {"normalise": "casefold"}),
    ),
    ({"count": "words", "at_most": 3}, ({"count": "lines"}, {"at_most": 4}, {"at_least": 1})),
    ({"refusal": True}, ({"refusal": False}, {"phrases": "no"}, {"beginning": 10})),
    ({"schema": {"type": "object"}}, ({"schema": {"type": "array"}}, {"formats": True})),
    (
        {"json_equal": {"a": 1}, "fields": ["a"]},
        (
            {"json_equal": {"a": 2}}, {"fields": {"a": {"number": 0.1}}}, {"fields": ["a", "b"]},
            {"fields": {"a": {"contains": "x"}}}, {"fields": {"a": {"list": "ordered"}}},
            {"fields": {"a": {"list": "any_order"}}}, {"fields": {"a": {"list": {"key": "k"}}}},
        ),
    ),
    (
        {"path": {"a": "absent"}},
        tuple(
            {"path": {"a": check}}
            for check in (
                "present", "null", {"equals": 1}, {"one_of": [1]}, {"matches": "x"}, {"at_least": 1}, {"at_most": 1},
                {"type": "null"}, {"length": 1},
            )
        ),
    ),
    ({"well_formed": "csv"}, ({"well_formed": "xml"}, {"columns": ["a", "b"]}, {"delimiter": ";"})),
    (
        {"tool_calls": []},
        (
            {"tool_calls": [{"name": "f"}]}, {"arguments": "subset"}, {"ordered": True}, {"forbidden": "f"},
            {"extra_calls": True}, {"match": {"a": "casefold"}}, {"match": {"a": {"contains": "x"}}},
            {"arguments": "schema", "tools": [{"name": "f"}]},
        ),
    ),
    (
        {"trajectory": []},
        tuple(
            {"trajectory": way}
            for way in (
                ["f"], {"in_order": ["f"]}, {"any_order": ["f"]}, {"steps": {"at_most": 1}}, {"forbidden": ["f"]},
                {"no_repeats": True},
            )
        ),
    ),
    (
        {"python": FUNCTION},
        (
            {"python": {**FUNCTION, "sha256": "1" * 64}}, {"python": {**FUNCTION, "target": "graders/own.py:other"}},
            {"args": {"most": 5}}, {"kind": "pass_fail"}, {"at_least": 0.5}, {"timeout": 5},
        ),
    ),
    *(
        (
            {family: [{"exact": "x"}, {"regex": "y"}]},
            (
                {family: [{"exact": "x"}]}, {family: [{"exact": "x"}, {"regex": "z"}]},
                {family: [{"exact": "x"}, {"regex": "y", "when": {"tag": "a"}}]},
                {family: [{"exact": "x"}, {"regex": "y", "not": True}]},
            ),
        )
        for family in ("all", "any")
    ),
    (
        {"weighted": [{"weight": 2, "grader": {"exact": "x"}}, {"grader": {"exact": "y"}}]},
        (
            {"weighted": [{"weight": 3, "grader": {"exact": "x"}}, {"grader": {"exact": "y"}}]},
            {"weighted": [{"weight": 2, "grader": {"exact": "x"}}, {"grader": {"exact": "z"}}]},
            {"at_least": 0.5},
        ),
    ),
    ({"latency": 2.5}, ({"latency": 3.0},)),
    ({"first_token": 0.5}, ({"first_token": 0.6},)),
    ({"cost": 0.01}, ({"cost": 0.02},)),
    ({"output_tokens": 100}, ({"output_tokens": 99},)),
    ({"finish_reason": "stop"}, ({"finish_reason": ["stop", "completed"]},)),
    ({"cached_share": 0.5}, ({"cached_share": 0.6}, {"cached_share": "graded"})),
    (
        {"judge": {"criteria": "kind", "model": "gpt-4o-2024-11-20"}},
        tuple(
            {"judge": {"criteria": "kind", "model": "gpt-4o-2024-11-20", **change}}
            for change in (
                {"criteria": "short"}, {"model": "gpt-4o-2024-08-06"}, {"question": "{{ q }}"},
                {"request": {"temperature": 1}},
                {"scale": {"no": 0, "yes": 1}}, {"pass_at": 0.0}, {"host": "mine"}, {"endpoint": "chat"},
                {"votes": 3}, {"sees": ["answer", "tools"]}, {"context": "{{ q }}"}, {"mode": "checklist"},
                {"combine": "mean"}, {"mode": "checklist", "expect_no": []}, {"mode": "reference"},
                {"mode": "reference", "facts": "One."}, {"mode": "label", "labels": ["a", "b"], "pass_on": "a"},
                {"mode": "label", "labels": ["a", "b"], "pass_on": "b"},
                {"examples": [{"answer": "a", "verdict": "pass", "reason": "r"}]},
            )
        ),
    ),
)  # fmt: skip


@pytest.mark.parametrize(("entry", "changes"), SETTINGS, ids=[next(iter(entry)) for entry, _ in SETTINGS])
def test_every_setting_that_changes_a_score_changes_the_version(
    entry: dict[str, Any], changes: tuple[dict[str, Any], ...], parse: Parse
) -> None:
    common: list[dict[str, Any]] = [{"not": True}, {"accepts": ["ok", "refused", "truncated"]}]
    if (grader := parse(entry)).reads_text or grader.composed:
        common.append({"extract": "last_line"})
    versions = [parse({**entry, **change}).version for change in ({}, *common, *changes)]
    assert len(set(versions)) == len(versions)


def test_the_version_of_a_field_list_follows_what_the_dataset_expects(parse: Parse) -> None:
    entry = {"json_equal": "{{ expected }}"}
    small, large = (parse(entry, [Case("c", expected=expected)]) for expected in ({"a": 1}, {"a": 1, "b": 2}))
    assert small.version != large.version
