from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.errors import ConfigError
from snapdrift.model import Endpoint, Usage
from snapdrift.openai_api.catalog import Catalog, load_catalog
from snapdrift.suites.registry import ModelFacts

TODAY = date(2026, 11, 22)
FORMAT = {"type": "json_schema", "name": "ticket", "strict": True, "schema": {"type": "object"}}
AUGUST = "gpt-4o-2024-08-06"
MAY = "gpt-4o-2024-05-13"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(today=TODAY)


def test_the_catalogue_gives_suites_the_facts_they_ask_for(catalog: Catalog) -> None:
    facts: ModelFacts = catalog
    assert facts.check_request(AUGUST, Endpoint.RESPONSES, {"temperature": 0}) == ()


def test_every_figure_has_a_source_with_a_date(catalog: Catalog) -> None:
    groups = {"price": "price", "context_window": "context_window", "max_output": "max_output", "shutdown": "shutdown"}
    unsourced = [
        (info.name, figure)
        for info in catalog.models()
        for figure, group in groups.items()
        if getattr(info, figure) is not None and (group not in info.sources or info.sources[group].date is None)
    ]
    assert unsourced == []


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
        ({"m": {"prise": {}}}, "models.m.prise"),
        ({"m": 5}, "models.m: found 5"),
        ({"m": {"alias_of": "nobody"}}, "models.m: found 'nobody'"),
        ({"m": {"price": {"input": float("nan"), "output": 1}}}, "models.m.price.input"),
    ],
)
def test_a_wrong_override_is_named_with_its_place(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        load_catalog(overrides, TODAY)


def test_all_mistakes_of_the_overrides_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_catalog({"m": {"price": {"input": -1, "output": -1}}}, TODAY)
    assert len(str(caught.value).splitlines()) == 2


def test_aliases_that_point_at_each_other_end() -> None:
    catalog = load_catalog({"a": {"alias_of": "b"}, "b": {"alias_of": "a"}}, TODAY)
    assert catalog.resolve_alias("a") in ("a", "b")


# ------------------------------------------------------------------------------------------------------------- warnings


def test_a_model_that_was_shut_down_is_warned_about_with_its_date(catalog: Catalog) -> None:
    assert any("2026-10-23" in sentence and "shut" in sentence for sentence in catalog.warnings(MAY))


def test_a_coming_shutdown_is_counted_down_and_names_the_replacement(catalog: Catalog) -> None:
    (sentence,) = catalog.warnings("gpt-4o")
    assert sentence == (
        "OpenAI shuts gpt-4o down on 2027-01-14, in 53 days. OpenAI names gpt-6-luna as its replacement."
    )


def test_on_the_day_of_the_shutdown_the_model_counts_as_shut_down() -> None:
    (sentence,) = load_catalog(today=date(2027, 1, 14)).warnings(AUGUST)
    assert "shut gpt-4o-2024-08-06 down on 2027-01-14" in sentence


def test_an_unknown_model_is_warned_about(catalog: Catalog) -> None:
    (sentence,) = catalog.warnings("some-model")
    assert "prices and limits are not known" in sentence


def test_an_unknown_price_is_warned_about(catalog: Catalog) -> None:
    assert any("price" in sentence for sentence in catalog.warnings("gpt-6-luna"))


# ----------------------------------------------------------------------------------------------------- request settings


@pytest.mark.parametrize(
    ("model", "endpoint", "request_", "location", "part"),
    [
        (MAY, "responses", {"text": {"format": FORMAT}}, ("text", "format", "type"), "json_schema"),
        (AUGUST, "responses", {"max_output_tokens": 15}, ("max_output_tokens",), "at least 16"),
        (AUGUST, "chat", {"max_output_tokens": 0}, ("max_output_tokens",), "at least 1 "),
        (AUGUST, "chat", {"max_output_tokens": 20_000}, ("max_output_tokens",), "at most 16384"),
        (AUGUST, "responses", {"seed": 7}, ("seed",), "endpoint: chat"),
        (AUGUST, "chat", {"truncation": "auto"}, ("truncation",), "endpoint: responses"),
        ("gpt-6-luna", "responses", {"temperature": 0}, ("temperature",), "temperature: null"),
        (AUGUST, "responses", {"reasoning": {"effort": "low"}}, ("reasoning", "effort"), "does not reason"),
        (AUGUST, "responses", {"temprature": 0}, ("temprature",), "did you mean `temperature`?"),
        (AUGUST, "chat", {"max_tokens": 5}, ("max_tokens",), "max_output_tokens"),
        (AUGUST, "chat", {"response_format": {}}, ("response_format",), "text: {format"),
        (AUGUST, "chat", {"n": 2}, ("n",), "repeats"),
        (AUGUST, "responses", {"stream": True}, ("stream",), "not available yet"),
        (AUGUST, "responses", {"tools": []}, ("tools",), "not available yet"),
        (AUGUST, "responses", {"service_tier": "priority"}, ("service_tier",), "prices"),
        (AUGUST, "responses", {"temperature": 2.5}, ("temperature",), "from 0 to 2"),
        (AUGUST, "responses", {"temperature": True}, ("temperature",), "from 0 to 2"),
        (AUGUST, "responses", {"top_p": "high"}, ("top_p",), "from 0 to 1"),
        (AUGUST, "responses", {"store": True}, ("store",), "expected false"),
        (AUGUST, "responses", {"text": {"fromat": {}}}, ("text", "fromat"), "did you mean `format`?"),
        (AUGUST, "responses", {"text": {"format": {"type": "json"}}}, ("text", "format", "type"), "json_object"),
        (AUGUST, "responses", {"text": {"format": {**FORMAT, "name": "a b"}}}, ("text", "format", "name"), "letters"),
        (
            AUGUST,
            "responses",
            {"text": {"format": {**FORMAT, "schema": 1}}},
            ("text", "format", "schema"),
            "JSON Schema",
        ),
        (
            AUGUST,
            "responses",
            {"text": {"format": {**FORMAT, "strict": "yes"}}},
            ("text", "format", "strict"),
            "true or",
        ),
        (AUGUST, "responses", {"text": "json"}, ("text",), "mapping"),
        (AUGUST, "responses", {"text": {"verbosity": "loud"}}, ("text", "verbosity"), "medium"),
        (AUGUST, "chat", {"include": ["file_search_call.results"]}, ("include", 0), "leave it out"),
        (AUGUST, "responses", {"include": "x"}, ("include",), "a list"),
        (AUGUST, "responses", {"metadata": {"a": 1}}, ("metadata",), "pairs"),
        (AUGUST, "responses", {"previous_response_id": "r"}, ("previous_response_id",), "stand alone"),
        (AUGUST, "responses", {"instructions": "Be terse."}, ("instructions",), "prompt"),
        ("gpt-6-luna", "chat", {"reasoning": {"summary": "auto"}}, ("reasoning", "summary"), "effort"),
    ],
)
def test_a_setting_that_is_not_taken_is_found_at_its_place(
    catalog: Catalog, model: str, endpoint: str, request_: dict[str, Any], location: tuple[str | int, ...], part: str
) -> None:
    (finding,) = catalog.check_request(model, Endpoint(endpoint), request_)
    assert finding.location == location
    assert part in f"{finding.found}; {finding.expected}"


@pytest.mark.parametrize("endpoint", list(Endpoint))
@pytest.mark.parametrize("model", [AUGUST, "gpt-4o", f"ft:{AUGUST}:acme::x", "a-model-nobody-knows"])
def test_ordinary_settings_are_taken_on_both_endpoints(catalog: Catalog, model: str, endpoint: Endpoint) -> None:
    request = {
        "temperature": 0,
        "top_p": 1,
        "max_output_tokens": 200,
        "text": {"format": FORMAT},
        "service_tier": "default",
        "metadata": {"a": "b"},
        "store": False,
    }
    assert catalog.check_request(model, endpoint, request) == ()


def test_every_mistake_is_found_at_once(catalog: Catalog) -> None:
    request = {"temprature": 0, "seed": 7, "max_output_tokens": 3}
    assert len(catalog.check_request(AUGUST, Endpoint.RESPONSES, request)) == 3
