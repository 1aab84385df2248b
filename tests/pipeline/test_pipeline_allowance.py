"""What a command may spend, and the refusal to start without a ceiling."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.errors import CatalogError, UsageError
from snapdrift.execution.budget import CommandLimit
from snapdrift.model import CallKey, Endpoint, Request, Variant
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.openai_api.client import OPENAI_BASE_URL, Host
from snapdrift.pipeline.allowance import (
    Allowance,
    Ceiling,
    Spender,
    ceiling,
    never,
    per_day,
    require_budget,
    require_honest_judges,
    worst_cost,
)
from snapdrift.pipeline.options import Limits
from snapdrift.pipeline.targets import OPENAI, STANDIN, Target

LIVE = Target({OPENAI: Host(OPENAI, OPENAI_BASE_URL, "sk-planted", is_openai=True)}, None, frozenset({OPENAI}))
ELSEWHERE = Target({STANDIN: Host(STANDIN, "http://127.0.0.1:9/v1", "standin", is_openai=False)}, STANDIN)
OWN = replace(ELSEWHERE, standin="what it answers from")
dollars = st.floats(min_value=0, max_value=1e6)


def spender(budget: float | None, *models: str) -> Spender:
    suite: Any = SimpleNamespace(path="evals/s.yaml", budget_for=lambda _: budget, budget_per_day_for=lambda _: None)
    return Spender(suite, "default", tuple(map(variant, models or ("gpt-4o",))))


def variant(model: str) -> Variant:
    return Variant(model, model, Endpoint.RESPONSES, {"max_output_tokens": 16}, {"input": "Hi"})


def allowed(max_usd: float | None = None) -> Allowance:
    return Allowance.of(Limits(max_usd=max_usd))


@pytest.mark.parametrize(
    ("suite_usd", "max_usd", "expected"), [(None, None, None), (5.0, None, 5.0), (None, 2.0, 2.0), (5.0, 2.0, 2.0)]
)
def test_the_ceiling_is_the_smaller_of_suite_and_command(suite_usd, max_usd, expected):
    found = allowed(max_usd).ceiling(suite_usd)
    assert found.usd == expected
    assert (found.command is not None) == (expected == 2.0)


def test_what_a_run_cost_before_counts_for_the_suite_and_not_for_the_command():
    assert allowed(2.0).ceiling(None, spent_usd=3.0) == Ceiling(5.0, CommandLimit("--max-usd 2", 0.0, 3.0))
    assert allowed(2.0).ceiling(4.0, spent_usd=3.0) == Ceiling(4.0)


@given(total=dollars, costs=st.lists(dollars, max_size=6))
def test_what_is_left_never_grows_and_is_never_negative(total, costs):
    allowance = allowed(total)
    left = [total]
    for usd in costs:
        allowance.spend(usd)
        assert allowance.left_usd is not None
        left.append(allowance.left_usd)
    assert left == sorted(left, reverse=True)
    assert left[-1] >= 0


def test_without_a_ceiling_there_is_none_after_spending():
    allowance = allowed()
    allowance.spend(3.0)
    assert allowance.left_usd is None


def test_a_deadline_is_a_point_in_time_for_the_whole_command():
    before = time.monotonic()
    ends = Allowance.of(Limits(deadline_s=60)).ends_at
    assert ends is not None
    assert before + 60 <= ends <= time.monotonic() + 60
    assert allowed().ends_at is None


def test_a_real_model_is_not_asked_without_a_ceiling():
    with pytest.raises(UsageError, match=r"evals/s\.yaml: .*has no budget; set `budget: \{usd: 5\}`"):
        require_budget([spender(None)], load_catalog(), LIVE, allowed())


@pytest.mark.parametrize(("suite_usd", "max_usd"), [(1.0, None), (None, 1.0)])
def test_either_ceiling_lets_a_real_model_be_asked(suite_usd, max_usd):
    require_budget([spender(suite_usd)], load_catalog(), LIVE, allowed(max_usd))


def test_one_suite_without_a_ceiling_keeps_all_from_being_asked():
    with pytest.raises(UsageError):
        require_budget([spender(1.0), spender(None)], load_catalog(), LIVE, allowed())


def test_a_ceiling_needs_to_know_what_every_model_costs_at_most():
    with pytest.raises(
        CatalogError,
        match=r'what my-own-model costs at most is not known.*\[prices."my-own-model"\].*max_output_tokens',
    ):
        require_budget([spender(1.0, "gpt-4o", "my-own-model")], load_catalog(), LIVE, allowed())


def test_a_price_without_a_bound_on_the_answer_is_not_enough():
    catalog = load_catalog({"my-own-model": {"price": {"input": 1.0, "output": 2.0}}})
    unbounded = replace(variant("my-own-model"), request={})
    with pytest.raises(CatalogError):
        require_budget([replace(spender(1.0), variants=(unbounded,))], catalog, LIVE, allowed())


def test_the_judges_are_held_to_the_budget_too():
    with pytest.raises(CatalogError, match="my-own-judge"):
        require_budget([replace(spender(1.0), judges=(variant("my-own-judge"),))], load_catalog(), LIVE, allowed())


def test_a_price_of_the_users_own_is_enough():
    catalog = load_catalog({"my-own-model": {"price": {"input": 1.0, "output": 2.0}}})
    require_budget([spender(1.0, "my-own-model")], catalog, LIVE, allowed())


def test_the_own_stand_in_needs_no_ceiling_and_is_not_held_to_the_suites():
    require_budget([spender(1.0, "my-own-model")], load_catalog(), OWN, allowed())
    require_budget([spender(None)], load_catalog(), ELSEWHERE, allowed())
    assert ceiling(spender(1.0).suite, "default", OWN, allowed()) == Ceiling()


def test_on_the_own_stand_in_the_commands_ceiling_counts_so_that_it_can_be_tried():
    assert ceiling(spender(1.0).suite, "default", OWN, allowed(0.5)).usd == 0.5


def test_a_stand_in_may_judge_made_up_answers_and_no_others():
    judged = replace(spender(None), judges=(variant("judge"),))
    require_honest_judges(judged, OWN)
    require_honest_judges(judged, LIVE)
    with pytest.raises(UsageError, match="a stand-in as judge of real answers"):
        require_honest_judges(judged, OWN, measured=True)


def test_a_tool_of_the_host_s_own_is_bounded_by_the_context_window_or_not_at_all():
    catalog = load_catalog({"house": {"price": {"input": 1, "output": 1}, "max_output": 100}})
    asked = spender(5.0, "house")
    searching = replace(asked.variants[0], request={"tools": [{"type": "web_search"}]})
    require_budget([asked], catalog, LIVE, allowed())
    with pytest.raises(CatalogError, match=r'its context_window under \[models."house"\]'):
        require_budget([replace(asked, variants=(searching,))], catalog, LIVE, allowed())


def request_of(model: str) -> Request:
    body = {"model": model, "input": "Where is my parcel, and when will it be here? " * 100, "max_output_tokens": 16}
    return Request(CallKey("a", "v", 0), 0, Endpoint.RESPONSES, "https://api.openai.com/v1", body, "r")


def test_texts_are_counted_where_their_bytes_take_much_of_what_is_left_and_only_where_they_can_be() -> None:
    catalog = load_catalog({"my-own-model": {"context_window": 128_000, "price": {"input": 1.0, "output": 4.0}}})
    roomy, tight = worst_cost(catalog), worst_cost(catalog, is_roomy=never)
    known, own = request_of("gpt-4o-2024-08-06"), request_of("my-own-model")
    assert (tight(known) or 0.0) < (roomy(known) or 0.0) / 3
    assert tight(own) == roomy(own)


def test_a_budget_a_day_is_a_budget_and_not_on_the_commands_own_stand_in() -> None:
    a_day: Any = SimpleNamespace(path="s", budget_for=lambda _: None, budget_per_day_for=lambda _: 3.0)
    require_budget([replace(spender(None), suite=a_day)], load_catalog(), LIVE, allowed())
    assert per_day(a_day, "default", LIVE) == 3.0
    assert per_day(a_day, "default", OWN) is None
