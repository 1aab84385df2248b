"""Configuration: from `[standin]`, from JSON, and which profile a request belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snapdrift.errors import ConfigError
from snapdrift.standin.config import Profile, StandinConfig
from snapdrift.standin.latency import Latency

SETTINGS: dict[str, Any] = {
    "alias": {"gpt-4o": "gpt-4o-2024-11-20"},
    "suites": {
        "triage": {"answers": "datasets/tickets.jsonl", "behaviour": None, "variants": {"november": "mine"}},
        "gsm": {"recordings": ["recordings.jsonl.gz"], "fallback": "plausible"},
    },
    "behaviours": {"mine": {"extends": "november", "wrong": {"rate": 0.5, "only_tags": ["hard"]}}},
    "latency": 12,
    "faults": {"429": 0.02, "retry_after": 2},
    "seed": 7,
}


def test_the_table_of_snapdrift_toml_is_understood(tmp_path: Path) -> None:
    config = StandinConfig.from_settings(SETTINGS, root=tmp_path)
    triage, gsm = config.profiles
    assert triage.answers == (tmp_path / "datasets/tickets.jsonl",)
    assert gsm.recordings == (tmp_path / "recordings.jsonl.gz",)
    assert (config.latency, config.faults, config.seed) == ("12", "429=0.02,retry_after=2", 7)


def test_an_empty_table_gives_plausible_answers(tmp_path: Path) -> None:
    config = StandinConfig.from_settings({"alias": {}, "suites": {}, "latency": None, "faults": None}, root=tmp_path)
    assert config.profile_for("anything-1") == Profile()
    assert config.behaviour == "plausible"


def test_it_survives_the_way_through_json(tmp_path: Path) -> None:
    config = StandinConfig.from_settings(SETTINGS, root=tmp_path, log=tmp_path / "log.jsonl")
    again = StandinConfig.from_json(config.to_json())
    assert again == config
    assert again.behaviours["mine"].model_fields_set == {"extends", "wrong"}


def test_recordings_given_by_hand_hold_for_every_suite(tmp_path: Path) -> None:
    config = StandinConfig.from_settings(SETTINGS, root=tmp_path, recordings=[tmp_path / "mine.jsonl"])
    assert {p.recordings for p in config.profiles} == {(tmp_path / "mine.jsonl",)}
    assert {p.named_behaviour("november", ["gpt-4o"]) for p in config.profiles} == {None}
    assert config.profile_for("unheard-of-1").recordings == (tmp_path / "mine.jsonl",)


def test_a_behaviour_given_by_hand_holds_for_every_suite_and_keeps_the_answer_keys(tmp_path: Path) -> None:
    config = StandinConfig.from_settings(SETTINGS, root=tmp_path, behaviour="terse")
    triage = config.profile_for("triage-1")
    assert triage.named_behaviour("november", ["gpt-4o"]) == "terse"
    assert triage.answers == (tmp_path / "datasets/tickets.jsonl",)
    assert config.profile_for("gsm-1").recordings == ()


def profiles(*names: str) -> StandinConfig:
    return StandinConfig.checked({"profiles": [{"suite": name} for name in names]})


@pytest.mark.parametrize(
    ("run", "suite"),
    [
        ("triage-2024-x", "triage"),
        ("triage-long-2024-x", "triage-long"),
        ("invoices-9", "inv*"),
        ("invoices-de-9", "invoices-*"),
        ("other-9", "*"),
        (None, "triage"),
    ],
)
def test_the_profile_with_the_longest_name_that_fits_the_run_is_chosen(run: str | None, suite: str) -> None:
    config = profiles("triage", "triage-long", "inv*", "invoices-*", "*")
    assert config.profile_for(run).suite == suite


def test_a_suite_without_a_profile_gets_the_default_behaviour() -> None:
    config = StandinConfig.checked({"profiles": [{"suite": "triage", "behaviour": "terse"}]})
    assert config.profile_for("other-1").named_behaviour(None, []) is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"profiles": [{"suite": "s", "variants": {"a": "nope"}}]}, r"standin\.suites\.s\.variants\.a: found .*'nope'"),
        ({"behaviour": "nope"}, r"standin\.behaviour: found behaviour 'nope'; expected one of august"),
        ({"faults": "teapot=0.1"}, "found 'teapot'; expected one of 429"),
        ({"latency": "soon"}, "found 'soon'; expected milliseconds"),
        ({"behaviours": {"b": {"wrong": 2}}}, r"standin\.behaviours\.b\.wrong\.0\.rate: found 2"),
        ({"colour": "red"}, r"standin\.colour: found 'red'"),
    ],
)
def test_mistakes_are_errors_that_say_where(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StandinConfig.checked(fields)


def test_an_unknown_key_of_a_suite_says_which_suite(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"standin\.suites\.triage\.answer: found 'x'"):
        StandinConfig.from_settings({"suites": {"triage": {"answer": "x"}}}, root=tmp_path)


def test_fixed_latency_is_the_same_for_all() -> None:
    assert {Latency.parse("120").seconds(n) for n in range(5)} == {0.12}


def test_lognormal_latency_has_its_median_and_95th_percentile() -> None:
    seconds = sorted(Latency.parse("lognormal:400,1500").seconds(n) for n in range(4000))
    assert seconds[2000] == pytest.approx(0.4, rel=0.1)
    assert seconds[3800] == pytest.approx(1.5, rel=0.15)


@pytest.mark.parametrize("text", ["lognormal:400", "lognormal:0,5", "lognormal:9,5", "-1", "inf", "1,2"])
def test_latencies_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"standin\.latency"):
        Latency.parse(text)


def test_limits_caching_and_the_virtual_day_are_read_from_the_table(tmp_path: Path) -> None:
    from snapdrift.suites.config import parse_config

    text = (
        "[standin]\nprompt_caching = false\ntoday = 2026-11-22\nlimits = {rpm = 5, quota_usd = 0.5, headers = false}\n"
    )
    settings = parse_config(text, "snapdrift.toml").standin.model_dump()
    config = StandinConfig.from_settings(settings, root=tmp_path)
    assert (config.prompt_caching, config.today) == (False, "2026-11-22")
    assert (config.limits.rpm, config.limits.quota_usd, config.limits.headers) == (5, 0.5, False)


def test_what_the_prompt_says_goes_before_who_is_asked_and_a_baseline_of_git_is_the_variant_that_it_was() -> None:
    triage = Profile(variants={"november": "terse", "august@main": "chatty"}, prompts={"in one word": "exact"})
    assert triage.named_behaviour("november", (), "Answer in one word.") == "exact"
    assert triage.named_behaviour("november@main", (), "Answer.") == "terse"
    assert triage.named_behaviour("august@main", ()) == "chatty"
    assert triage.named_behaviour("august", ()) is None


def test_whoever_judges_is_named_apart_from_new_variants_also_of_the_same_model() -> None:
    replies = Profile(behaviour="careful", judge="judge", variants={"august": "terse"}, models={"luna": "sloppy"})
    found = [replies.named_behaviour(name, ("luna",)) for name in ("august?judge=kind", "august", "new")]
    assert found == ["judge", "terse", "sloppy"]
    assert replies.named_behaviour("new", ("other",)) == "careful"
