from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.errors import ConfigError
from snapdrift.model import Endpoint, Usage
from snapdrift.openai_api.catalog import Catalog, load_catalog
from snapdrift.openai_api.facts import Capability, Facts
from snapdrift.suites.config import parse_config
from snapdrift.suites.registry import ModelFacts

TODAY = date(2026, 11, 22)
AUGUST = "gpt-4o-2024-08-06"
MAY = "gpt-4o-2024-05-13"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(today=TODAY)


def test_the_catalogue_gives_suites_the_facts_they_ask_for(catalog: Catalog) -> None:
    facts: ModelFacts = catalog
    assert facts.check_request(AUGUST, Endpoint.RESPONSES, {"temperature": 0}) == ()


def test_every_figure_has_a_source_with_a_date(catalog: Catalog) -> None:
    unsourced = [
        (info.name, figure)
        for info in catalog.models()
        for figure in Facts.model_fields
        if getattr(info, figure) not in (None, (), {})
        and ((source := info.source_of(figure)) is None or source.date is None)
    ]
    assert unsourced == []


def test_what_only_others_say_is_marked_as_unverified(catalog: Catalog) -> None:
    alias, tuned = catalog.get("gpt-4o"), catalog.get(f"ft:{AUGUST}:acme::abc")
    assert alias is not None
    assert tuned is not None
    assert {"limits.2", "azure_shutdown", "max_output"} <= set(alias.unverified)
    assert "limits.1" not in alias.unverified
    assert "price" in tuned.unverified
    assert "price" not in alias.unverified


def test_the_alias_is_the_august_snapshot(catalog: Catalog) -> None:
    assert catalog.resolve_alias("gpt-4o") == AUGUST


def test_a_snapshot_is_no_alias(catalog: Catalog) -> None:
    assert (catalog.is_alias("gpt-4o"), catalog.is_alias(AUGUST)) == (True, False)


def test_an_unknown_name_resolves_to_itself(catalog: Catalog) -> None:
    assert catalog.resolve_alias("some-model") == "some-model"


def test_a_fine_tuned_model_has_the_price_of_its_family_and_the_limits_of_its_base(catalog: Catalog) -> None:
    info = catalog.get(f"ft:{AUGUST}:acme::abc123")
    assert info is not None
    assert info.price is not None
    assert (info.base, info.price.input, info.max_output) == (AUGUST, 3.75, 16_384)


def test_a_fine_tuned_model_of_an_unknown_family_is_unknown(catalog: Catalog) -> None:
    assert catalog.get("ft:gpt-4.1:acme::abc") is None


def test_cached_tokens_cost_half_on_the_august_snapshot(catalog: Catalog) -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=100_000)
    assert catalog.usd("gpt-4o", usage) == pytest.approx(0.6 * 2.50 + 0.4 * 1.25 + 0.1 * 10)


def test_a_model_without_a_cached_price_charges_cached_tokens_in_full(catalog: Catalog) -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=1_000_000)
    assert catalog.usd(MAY, usage) == pytest.approx(5.00)


def test_an_unknown_price_is_none_and_never_zero(catalog: Catalog) -> None:
    assert catalog.usd("gpt-6-luna", Usage(10, 0, 10)) is None
    assert catalog.worst_usd("nobody-knows", 10, 10) is None


def test_without_a_cap_the_worst_case_is_the_longest_answer_of_the_model(catalog: Catalog) -> None:
    assert catalog.worst_usd(MAY, 1000, None) == pytest.approx((1000 * 5 + 4096 * 15) / 1e6)


def test_without_a_cap_and_without_a_known_limit_there_is_no_worst_case() -> None:
    priced = load_catalog({"gpt-6-luna": {"price": {"input": 1, "output": 4}}}, TODAY)
    assert priced.worst_usd("gpt-6-luna", 1000, None) is None


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 16_384))
def test_no_usage_within_the_cap_costs_more_than_the_worst_case(input_: int, cached: int, output: int) -> None:
    catalog = load_catalog(today=TODAY)
    cost = catalog.usd(AUGUST, Usage(input_, min(cached, input_), output))
    worst = catalog.worst_usd(AUGUST, input_, 16_384)
    assert cost is not None
    assert worst is not None
    assert cost <= worst * (1 + 1e-12)


def test_a_batch_costs_what_the_catalogue_says_and_that_is_half(catalog: Catalog) -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    batched, live = catalog.usd(AUGUST, usage, batched=True), catalog.usd(AUGUST, usage)
    assert batched == pytest.approx(6.25)
    assert live == pytest.approx(12.50)


def test_whether_cached_input_is_cheaper_still_in_a_batch_is_not_known_so_it_costs_in_full(catalog: Catalog) -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=1_000_000)
    assert catalog.usd(AUGUST, usage, batched=True) == pytest.approx(1.25)


def test_a_batch_of_a_model_without_a_batch_price_has_no_price(catalog: Catalog) -> None:
    assert catalog.usd("chatgpt-4o-latest", Usage(10, 0, 10), batched=True) is None
    assert catalog.worst_usd("chatgpt-4o-latest", 10, 10, batched=True) is None


@pytest.mark.parametrize("tier", [None, "auto", "default"])
def test_the_usual_tiers_cost_the_usual_price(catalog: Catalog, tier: str | None) -> None:
    assert catalog.usd(AUGUST, Usage(1_000_000, 0, 0), service_tier=tier) == pytest.approx(2.50)


def test_priority_processing_costs_its_own_price(catalog: Catalog) -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=500_000, output_tokens=1_000_000)
    assert catalog.usd(AUGUST, usage, service_tier="priority") == pytest.approx(0.5 * 4.25 + 0.5 * 2.125 + 17)


@pytest.mark.parametrize("tier", ["flex", "scale", "a-new-one"])
def test_a_tier_without_a_price_in_the_catalogue_has_none(catalog: Catalog, tier: str) -> None:
    assert catalog.usd(AUGUST, Usage(10, 0, 10), service_tier=tier) is None
    assert catalog.worst_usd(AUGUST, 10, 10, service_tier=tier) is None


def test_a_tier_that_may_be_served_as_usual_is_bounded_by_the_dearer_price() -> None:
    cheap = {"price": {"tiers": {"flex": {"input": 1.0, "output": 5.0}}}}
    catalog = load_catalog({AUGUST: cheap}, TODAY)
    assert catalog.worst_usd(AUGUST, 1_000_000, 0, service_tier="flex") == pytest.approx(2.50)
    assert catalog.worst_usd(AUGUST, 1_000_000, 0, service_tier="priority") == pytest.approx(4.25)
    assert catalog.usd(AUGUST, Usage(1_000_000, 0, 0), service_tier="flex") == pytest.approx(1.00)


def test_input_that_nothing_bounds_has_no_worst_case(catalog: Catalog) -> None:
    assert catalog.worst_usd(AUGUST, None, 10) is None


@pytest.mark.parametrize(
    ("model", "capability", "expected"),
    [
        (AUGUST, "json_schema", True),
        (MAY, "json_schema", False),
        (MAY, "json_object", True),
        (MAY, "strict_tools", None),
        ("gpt-4o-mini", "vision", True),
        ("gpt-6-luna", "reasoning", True),
        ("gpt-6-luna", "vision", None),
        ("chatgpt-4o-latest", "batch", None),
    ],
)
def test_a_capability_is_known_or_not_known(
    catalog: Catalog, model: str, capability: Capability, expected: bool | None
) -> None:
    info = catalog.get(model)
    assert info is not None
    assert info.can(capability) is expected


def test_a_capability_can_differ_by_endpoint() -> None:
    changes = {"per_endpoint": {"chat": {"logprobs": False}}}
    info = load_catalog({AUGUST: changes}, TODAY).get("gpt-4o")
    assert info is not None
    assert (info.can("logprobs", Endpoint.CHAT), info.can("logprobs", Endpoint.RESPONSES)) == (False, True)


def test_a_model_can_do_nothing_on_an_endpoint_that_it_is_not_on() -> None:
    info = load_catalog({AUGUST: {"endpoints": ["chat"]}}, TODAY).get(AUGUST)
    assert info is not None
    assert info.can("tools", Endpoint.RESPONSES) is False


def test_an_account_s_limits_are_known_by_usage_tier_and_not_for_every_model(catalog: Catalog) -> None:
    limits = catalog.limits("gpt-4o", 1)
    assert limits is not None
    assert (limits.rpm, limits.tpm, limits.batch_queue) == (500, 30_000, 90_000)
    assert catalog.limits("gpt-4o-mini", 1) is None
    assert catalog.limits(f"ft:{AUGUST}:acme::x", 1) is None
    assert catalog.limits("some-model", 1) is None


# ------------------------------------------------------------------------------------------------------- the user's own


def test_a_user_can_price_a_model_that_has_no_price() -> None:
    priced = load_catalog({"gpt-6-luna": {"price": {"input": 1, "output": 4}}}, TODAY)
    assert priced.usd("gpt-6-luna", Usage(1_000_000, 0, 1_000_000)) == pytest.approx(5.0)


def test_a_changed_figure_names_the_user_as_its_source_and_leaves_the_others() -> None:
    info = load_catalog({AUGUST: {"price": {"input": 2.0}}}, TODAY).get(AUGUST)
    assert info is not None
    assert info.price is not None
    assert (info.price.input, info.price.output) == (2.0, 10.0)
    assert (str(info.sources["price"]), info.sources["shutdown"].date) == ("snapdrift.toml", TODAY)


def test_a_price_of_the_snapshot_reaches_its_alias() -> None:
    info = load_catalog({AUGUST: {"price": {"input": 2.0}}}, TODAY).get("gpt-4o")
    assert info is not None
    assert info.price is not None
    assert info.price.input == 2.0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"m": {"price": {"input": -1, "output": 1}}}, "models.m.price.input: found -1"),
        (
            {"m": {"price": {"input": 1e300, "output": 1}}},
            "models.m.price.input: found 1e+300; expected at most 1,000,000,000",
        ),
        ({"m": {"prise": {}}}, "models.m.prise"),
        ({"m": 5}, "models.m: found 5"),
        ({"m": {"alias_of": "nobody"}}, "models.m: found 'nobody'"),
        ({"m": {"price": {"input": float("nan"), "output": 1}}}, "models.m.price.input"),
    ],
)
def test_a_wrong_override_is_named_with_its_place(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_catalog(overrides, TODAY)


def test_all_mistakes_of_the_overrides_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_catalog({"m": {"price": {"input": -1, "output": -1}}}, TODAY)
    assert len(str(caught.value).splitlines()) == 2


def test_aliases_that_point_at_each_other_end() -> None:
    catalog = load_catalog({"a": {"alias_of": "b"}, "b": {"alias_of": "a"}}, TODAY)
    assert catalog.resolve_alias("a") in ("a", "b")


def test_a_user_can_say_one_figure_of_a_table_and_of_a_tier(catalog: Catalog) -> None:
    changes = {"price": {"tiers": {"priority": {"input": 5.0}}}, "limits": {"2": {"tpm": 900_000}}}
    info = load_catalog({AUGUST: changes}, TODAY).get(AUGUST)
    assert info is not None
    assert info.price is not None
    assert info.price.tiers["priority"].output == 17.0
    assert (info.limits[2].rpm, info.limits[2].tpm, info.limits[1].tpm) == (5000, 900_000, 30_000)
    assert "limits.2" not in info.unverified


def test_one_figure_of_an_alias_goes_over_those_of_its_snapshot() -> None:
    catalog = load_catalog({"gpt-4o": {"price": {"input": 2.0}}}, TODAY)
    alias, snapshot = catalog.get("gpt-4o"), catalog.get(AUGUST)
    assert alias is not None
    assert alias.price is not None
    assert (alias.price.input, alias.price.output, alias.price.batch_input) == (2.0, 10.0, 1.25)
    assert snapshot is not None
    assert snapshot.price is not None
    assert snapshot.price.input == 2.5


def test_a_fine_tuned_model_can_be_priced_by_itself_and_keeps_what_is_known_of_its_family() -> None:
    mine = f"ft:{AUGUST}:acme::abc"
    catalog = load_catalog({mine: {"price": {"input": 1.0}}}, TODAY)
    info, others = catalog.get(mine), catalog.get(f"ft:{AUGUST}:acme::def")
    assert info is not None
    assert others is not None
    assert info.price is not None
    assert others.price is not None
    assert (info.price.input, info.price.output, info.context_window) == (1.0, 15.0, 128_000)
    assert others.price.input == 3.75


@pytest.mark.parametrize("models", [["gpt-4o", MAY], [f"ft:{AUGUST}:acme::x"], ["gpt-4o-mini", "gpt-6-luna"]])
def test_stored_facts_give_the_same_facts_again(catalog: Catalog, models: list[str]) -> None:
    stored = json.loads(json.dumps(catalog.to_stored(models)))
    again = load_catalog(stored, TODAY)
    for model in models:
        one, other = catalog.get(model), again.get(model)
        assert one is not None
        assert other is not None
        assert [getattr(one, figure) for figure in Facts.model_fields] == [
            getattr(other, figure) for figure in Facts.model_fields
        ]


@pytest.mark.parametrize(
    ("model", "counted_as"),
    [
        ("gpt-4o", "gpt-4o"),
        (AUGUST, "gpt-4o"),
        (MAY, "gpt-4o"),
        (f"ft:{AUGUST}:acme::x", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("chatgpt-4o-latest", "chatgpt-4o-latest"),
        ("some-model-2025-01-01", "some-model-2025-01-01"),
        ("ft:some-model:acme::x", "ft:some-model:acme::x"),
        ("ft:", "ft:"),
    ],
)
def test_snapshots_count_towards_the_limits_of_their_alias(catalog: Catalog, model: str, counted_as: str) -> None:
    assert catalog.counted_as(model) == counted_as


# ------------------------------------------------------------------------------------------------------------- warnings


def test_a_model_that_was_shut_down_is_warned_about_with_its_date(catalog: Catalog) -> None:
    assert any("2026-10-23" in sentence and "shut" in sentence for sentence in catalog.warnings(MAY))


def test_a_coming_shutdown_is_counted_down_and_names_the_replacement(catalog: Catalog) -> None:
    (sentence,) = catalog.warnings("gpt-4o")
    assert sentence == (
        "OpenAI shuts gpt-4o down on 2027-01-14, in 53 days. OpenAI names gpt-6-luna as its replacement."
    )


def test_models_that_go_on_one_day_are_one_sentence_with_what_they_judge(catalog: Catalog) -> None:
    models = {AUGUST: (), "gpt-4o-2024-11-20": ("helpful",), "some-model": ()}
    (sentence,) = catalog.shutdown_sentences(models)
    assert sentence == (
        "OpenAI shuts gpt-4o-2024-08-06, gpt-4o-2024-11-20 (judges helpful) down on 2027-01-14, in 53 days. "
        "OpenAI names gpt-6-luna as their replacement."
    )


def test_on_the_day_of_the_shutdown_the_model_counts_as_shut_down() -> None:
    (sentence,) = load_catalog(today=date(2027, 1, 14)).warnings(AUGUST)
    assert "shut gpt-4o-2024-08-06 down on 2027-01-14" in sentence


@pytest.mark.parametrize("model", [f"ft:{AUGUST}:acme::x", "ft:gpt-4o-mini-2024-07-18:acme::x", "gpt-4o-mini"])
def test_fine_tuned_models_and_aliases_go_with_their_snapshot(catalog: Catalog, model: str) -> None:
    assert any(f"shuts {model} down on 2027-01-14, in 53 days" in sentence for sentence in catalog.warnings(model))


def test_an_unknown_model_is_warned_about(catalog: Catalog) -> None:
    (sentence,) = catalog.warnings("some-model")
    assert "prices and limits are not known" in sentence


@pytest.mark.parametrize("model", ["gpt-6-luna", "some-model"])
def test_the_table_that_a_warning_of_an_unknown_price_names_is_one_that_sets_it(catalog: Catalog, model: str) -> None:
    table = f'[prices."{model}"]'
    assert any("price" in sentence and table in sentence for sentence in catalog.warnings(model))
    config = parse_config(f"{table}\ninput = 1\noutput = 4\n", "snapdrift.toml")
    assert not any("price" in sentence for sentence in load_catalog(config.catalog_overrides).warnings(model))
