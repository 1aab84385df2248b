"""Where requests go: which host, with whose key, and whether a real model is asked there."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from snapdrift.errors import ConfigError, IncompleteError, UsageError
from snapdrift.model import Answer, CallKey, Endpoint, Request, Source, Variant
from snapdrift.pipeline.options import TargetOptions
from snapdrift.pipeline.targets import STANDIN, STANDIN_KEY, Target, _url_host, open_target
from snapdrift.suites.config import parse_config
from snapdrift.suites.workspace import Workspace

KEY = {"OPENAI_API_KEY": "sk-planted"}
NOWHERE = "http://127.0.0.1:9/v1"
"""Loopback, where nobody listens: these tests ask no other machine."""


def proxy(url: str = NOWHERE) -> str:
    return f'[hosts.proxy]\nbase_url = "{url}"\nkey_env = "PROXY_KEY"\n'


def variant(name: str = "august", host: str | None = None) -> Variant:
    return Variant(name, "gpt-4o-2024-08-06", Endpoint.RESPONSES, {}, {"input": "Hi"}, host)


def space(root: Path, config: str = "") -> Workspace:
    return Workspace(root, parse_config(config, "snapdrift.toml"))


def target(root: Path, config: str = "", env: dict[str, str] | None = None, variants=(), **options: Any) -> Target:
    with open_target(TargetOptions(**options), space(root, config), env or {}, variants or [variant()]) as made:
        return made


def test_without_options_openai_is_asked_with_its_key(tmp_path):
    made = target(tmp_path, env=KEY)
    host = made.host(variant())
    assert (host.base_url, host.api_key, host.is_openai) == ("https://api.openai.com/v1", "sk-planted", True)
    assert made.is_live(variant())
    assert made.standin is None


def test_without_a_key_the_error_names_every_way_out(tmp_path):
    with pytest.raises(UsageError, match=r"OPENAI_API_KEY is not set.*--standin.*--host or --base-url"):
        target(tmp_path)


def test_each_variant_goes_to_its_own_host_with_its_own_key(tmp_path, standin):
    both = [variant(), variant("mine", "proxy")]
    made = target(tmp_path, proxy(standin()), {**KEY, "PROXY_KEY": "planted-too"}, both)
    assert [made.host(v).api_key for v in both] == ["sk-planted", "planted-too"]
    assert [made.is_live(v) for v in both] == [True, False]
    assert made.reached(both) == ("https://api.openai.com/v1", STANDIN)
    assert "planted" not in json.dumps(made.identity(both))


def test_a_host_on_the_command_line_is_for_every_variant_and_needs_no_other_key(tmp_path, standin):
    url = standin()
    both = [variant(), variant("mine", "proxy")]
    made = target(tmp_path, proxy(url), {"PROXY_KEY": "planted"}, both, host="proxy")
    assert {made.host(v).base_url for v in both} == {url}


def test_an_undeclared_host_is_told_with_those_that_are(tmp_path):
    with pytest.raises(ConfigError, match=r"host 'prxy' is not declared.*there: proxy"):
        target(tmp_path, proxy(), host="prxy")


def test_a_host_whose_key_is_not_set_names_the_variable(tmp_path):
    with pytest.raises(UsageError, match="host proxy: the environment variable PROXY_KEY is not set"):
        target(tmp_path, proxy(), KEY, host="proxy")


def test_a_url_without_a_key_gets_a_dummy_and_never_that_of_openai():
    assert _url_host(NOWHERE, None, KEY).api_key == STANDIN_KEY


def test_openais_own_url_gets_openais_key(tmp_path):
    host = target(tmp_path, env=KEY, base_url="https://eu.api.openai.com/v1").host(variant())
    assert (host.api_key, host.is_openai) == ("sk-planted", True)


@pytest.mark.parametrize("url", ["http://api.openai.com/v1", "https://api.openai.com.example.com/v1"])
def test_openais_key_goes_to_no_host_that_only_looks_like_openais(url):
    assert _url_host(url, None, KEY).api_key == STANDIN_KEY
    with pytest.raises(UsageError, match="OpenAI's hosts only"):
        _url_host(url, "OPENAI_API_KEY", KEY)


@pytest.mark.parametrize(
    "url", ["https://me:planted@example.com/v1", "https://example.com/v1?key=planted", "example.com/v1", "ftp://x/v1"]
)
def test_a_url_that_holds_a_secret_or_is_none_is_refused_without_repeating_it(tmp_path, url):
    with pytest.raises(UsageError, match="--base-url: expected http") as refused:
        target(tmp_path, base_url=url)
    assert "planted" not in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {"standin": True, "base_url": NOWHERE},
        {"standin": True, "host": "proxy"},
        {"host": "proxy", "base_url": NOWHERE},
    ],
)
def test_two_targets_are_an_error(tmp_path, options):
    with pytest.raises(UsageError, match="expected one"):
        target(tmp_path, proxy(), **options)


@pytest.mark.parametrize("options", [{"faults": "500=1"}, {"standin_log": Path("log.jsonl")}])
def test_options_of_the_stand_in_are_refused_without_it(tmp_path, options):
    with pytest.raises(UsageError, match="found it without --standin"):
        target(tmp_path, env=KEY, **options)


def test_a_key_variable_without_a_url_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--key-env"):
        target(tmp_path, env=KEY, key_env="MINE")


def test_recordings_that_are_not_there_are_told(tmp_path):
    with pytest.raises(UsageError, match="found no file"):
        target(tmp_path, standin=True, recordings=(tmp_path / "none.jsonl",))


def record(path: Path, output: str) -> Path:
    path.write_text(json.dumps({"model": "gpt-4o-2024-08-06", "input": "Hi", "output": output}) + "\n")
    return path


def test_the_own_stand_in_answers_for_all_variants_and_ends_with_the_command(tmp_path):
    options = TargetOptions(standin=True, recordings=(record(tmp_path / "recordings.jsonl", "Hello"),))
    theirs = variant(host="proxy")
    with open_target(options, space(tmp_path, proxy()), {}, [theirs]) as made:
        url = made.host(theirs).base_url
        answer = asyncio.run(ask_once(made, url))
    assert (answer.text, answer.source) == ("Hello", Source.RECORDED)
    assert not made.is_live(theirs)
    with pytest.raises(IncompleteError, match=re.escape(url)):
        target(tmp_path, base_url=url)


async def ask_once(made: Target, url: str, model: str = "gpt-4o-2024-08-06") -> Answer:
    body = {"model": model, "input": "Hi"}
    async with made.asking(1) as ask:
        return await ask(Request(CallKey("c1", "august", 0), 0, Endpoint.RESPONSES, url, body, "s-1/0/0"))


def test_a_stand_in_that_runs_elsewhere_is_known_for_one(tmp_path, standin):
    made = target(tmp_path, base_url=standin())
    assert not made.is_live(variant())
    assert made.reached([variant()]) == (STANDIN,)


def test_two_keys_for_one_url_are_refused(tmp_path, standin):
    url = standin()
    twice = proxy(url) + proxy(url).replace("proxy", "again").replace("PROXY_KEY", "AGAIN_KEY")
    env = {"PROXY_KEY": "planted", "AGAIN_KEY": "planted-too"}
    with pytest.raises(ConfigError, match="one key for one URL") as refused:
        target(tmp_path, twice, env, [variant("a", "proxy"), variant("b", "again")])
    assert "planted" not in str(refused.value)


def test_the_identity_is_that_of_the_recordings_content_and_not_of_their_place(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    here, there = record(tmp_path / "a" / "r.jsonl", "Hello"), record(tmp_path / "b" / "r.jsonl", "Hello")
    first = target(tmp_path, standin=True, recordings=(here,)).identity([variant()])
    assert target(tmp_path, standin=True, recordings=(there,)).identity([variant()]) == first
    record(here, "Good day")
    assert target(tmp_path, standin=True, recordings=(here,)).identity([variant()]) != first


# ------------------------------------------------------------------------------- Azure, and variants without a host

AZURE = '[hosts.azure]\nkind = "azure"\nbase_url = "{url}"\napi_version = "{version}"\nkey_env = "AZURE_KEY"\n'


def azure(url: str, version: str = "2024-10-21") -> str:
    return AZURE.format(url=url, version=version)


def test_azures_version_is_the_hosts_and_part_of_the_identity(tmp_path, standin):
    url = standin()  # any host that answers will do: it is only asked what it is
    env = {"AZURE_KEY": "planted"}
    made = target(tmp_path, azure(url), env, host="azure")
    host = made.host(variant())
    assert (host.base_url, host.api_key, host.api_version, host.is_openai) == (url, "planted", "2024-10-21", False)
    later = target(tmp_path, azure(url, "2025-04-01-preview"), env, host="azure")
    assert made.identity([variant()]) != later.identity([variant()])


def test_two_versions_of_one_resource_are_refused(tmp_path, standin):
    url = standin()
    twice = azure(url) + azure(url, "2025-04-01-preview").replace("hosts.azure", "hosts.newer")
    with pytest.raises(ConfigError, match=r"host newer: found api_version 2025-.*expected that of host azure"):
        target(tmp_path, twice, {"AZURE_KEY": "planted"}, [variant("a", "azure"), variant("b", "newer")])


def application(root: Path) -> Variant:
    (root / "app.py").write_text("def answer(case):\n    return 'Hello'\n")
    return Variant("app", "python:app.py:answer", Endpoint.PYTHON, {}, {"input": "Hi"}, target="app.py:answer")


def test_a_variant_that_is_not_asked_over_http_needs_no_host_and_no_key(tmp_path):
    app = application(tmp_path)
    made = target(tmp_path, variants=[app])
    assert (dict(made.hosts), made.is_live(app), made.reached([app])) == ({}, False, ())


def test_a_key_is_still_needed_for_the_variants_beside_it(tmp_path):
    app = application(tmp_path)
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        target(tmp_path, variants=[app, variant()])


def test_the_own_stand_in_answers_as_models_that_only_the_workspace_knows(tmp_path):
    config = """
[hosts.proxy]
base_url = "http://127.0.0.1:9/v1"
key_env = "PROXY_KEY"
deployments = {triage-prod = "gpt-4o-2024-08-06"}

[models."ours"]
price = {input = 1.0, output = 4.0}
"""
    free = Variant("mine", "free-name", Endpoint.RESPONSES, {}, {"input": "Hi"}, "proxy")
    with open_target(TargetOptions(standin=True), space(tmp_path, config), {}, [free]) as made:
        url = made.host(free).base_url
        asked = ("triage-prod", "ours", "free-name")
        models = {name: asyncio.run(ask_once(made, url, name)).returned_model for name in asked}
    assert models == {"triage-prod": "gpt-4o-2024-08-06", "ours": "ours", "free-name": "free-name"}
