"""Hosts in `snapdrift.toml`: Azure in both forms, names of a host's own, and keys that go to one place only."""

from __future__ import annotations

import pytest

from snapdrift.errors import ConfigError
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.suites.config import Config, HostConfig, parse_config

AZURE = """\
[hosts.azure]
kind = "azure"
base_url = "https://mine.openai.azure.com"
api_version = "2024-10-21"
key_env = "AZURE_KEY"
"""
V1 = '[hosts.v1]\nbase_url = "https://mine.openai.azure.com/openai/v1"\nkey_env = "AZURE_KEY"\n'


def read(text: str) -> Config:
    return parse_config(text, "snapdrift.toml")


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read(text)
    return str(refused.value).splitlines()


def test_azure_is_declared_by_its_resource_its_version_and_its_key() -> None:
    assert read(AZURE).hosts["azure"] == HostConfig(
        kind="azure", base_url="https://mine.openai.azure.com", api_version="2024-10-21", key_env="AZURE_KEY"
    )


@pytest.mark.parametrize(
    "url", ["https://gateway.example.com/llm", "https://mine.cognitiveservices.azure.com/", "http://127.0.0.1:8080"]
)
def test_azure_may_stand_behind_a_gateway(url: str) -> None:
    assert read(AZURE.replace("https://mine.openai.azure.com", url)).hosts["azure"].base_url == url


def test_azures_v1_form_is_an_ordinary_host_and_may_share_the_key() -> None:
    assert set(read(AZURE + V1).hosts) == {"azure", "v1"}


WITHOUT = 'for the v1 form (.../openai/v1) leave out `kind = "azure"` and api_version'
ENDPOINT = 'expected the endpoint of the resource, such as "https://RESOURCE.openai.azure.com", without /openai'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[hosts.azure]\nkind = "azure"\n',
            [
                "snapdrift.toml:1:2: hosts.azure.api_version: missing; expected this key",
                "snapdrift.toml:1:2: hosts.azure.base_url: missing; expected this key",
                "snapdrift.toml:1:2: hosts.azure.key_env: missing; expected this key",
            ],
        ),
        (
            AZURE.replace('kind = "azure"\n', ""),
            [
                (
                    'snapdrift.toml:2:1: hosts.azure.base_url: "https://mine.openai.azure.com"; '
                    'expected the v1 form, .../openai/v1; or `kind = "azure"` with an api_version'
                ),
                (
                    'snapdrift.toml:3:1: hosts.azure.api_version: "2024-10-21"; '
                    'expected none: it is for hosts of `kind = "azure"`'
                ),
            ],
        ),
        (
            AZURE.replace("azure.com", "azure.com/openai/v1"),
            [
                (
                    'snapdrift.toml:3:1: hosts.azure.base_url: "https://mine.openai.azure.com/openai/v1"; '
                    f"{ENDPOINT}; {WITHOUT}"
                )
            ],
        ),
        (
            AZURE.replace("azure.com", "azure.com/openai/deployments/d"),
            [
                (
                    'snapdrift.toml:3:1: hosts.azure.base_url: "https://mine.openai.azure.com/openai/deployments/d"; '
                    f"{ENDPOINT}; {WITHOUT}"
                )
            ],
        ),
        (
            AZURE.replace("2024-10-21", "v3"),
            [
                (
                    'snapdrift.toml:4:1: hosts.azure.api_version: "v3"; '
                    'expected a version of Azure\'s API, such as "2024-10-21"'
                )
            ],
        ),
        (
            AZURE.replace('"2024-10-21"', "2024-10-21"),
            ['snapdrift.toml:4:1: hosts.azure.api_version: "2024-10-21"; expected text, in quotes: "2024-10-21"'],
        ),
        (
            AZURE.replace("mine.openai.azure.com", "eu.api.openai.com"),
            [
                (
                    'snapdrift.toml:3:1: hosts.azure.base_url: "https://eu.api.openai.com"; '
                    "expected an endpoint of Azure: its key is never sent to OpenAI"
                )
            ],
        ),
        (
            AZURE.replace("AZURE_KEY", "OPENAI_API_KEY"),
            [
                (
                    'snapdrift.toml:5:1: hosts.azure.key_env: "OPENAI_API_KEY"; '
                    "expected a variable of its own: OPENAI_API_KEY is sent to OpenAI's hosts only"
                )
            ],
        ),
        (
            AZURE + '[hosts.us]\nbase_url = "https://us.api.openai.com/v1"\nkey_env = "AZURE_KEY"\n',
            [
                (
                    'snapdrift.toml:8:1: hosts.us.key_env: "AZURE_KEY"; '
                    "expected another variable than hosts.azure has: no key goes to OpenAI and elsewhere"
                )
            ],
        ),
        (
            '[hosts.x]\nbase_url = "https://me:planted@x/v1"\n',
            [
                (
                    'snapdrift.toml:2:1: hosts.x.base_url: "https://me:planted@x/v1"; '
                    "expected a URL that begins with https:// and holds no user name, query or key"
                )
            ],
        ),
        (
            f'{AZURE}deployments = {{prod = "gpt-4o"}}\n{V1}[hosts.v1.deployments]\nprod = "gpt-4o-mini"\n',
            [
                (
                    'snapdrift.toml:11:1: hosts.v1.deployments.prod: "gpt-4o-mini"; '
                    'expected "gpt-4o", as hosts.azure has it: a name stands for one model'
                )
            ],
        ),
        (AZURE + "deployments = {prod = 4}\n", ["snapdrift.toml:6:1: hosts.azure.deployments.prod: 4; expected text"]),
    ],
)
def test_a_mistake_in_a_host_is_told_with_its_line(text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected


# -------------------------------------------------------------------------------------------------------- deployments

DEPLOYED = AZURE + 'deployments = {prod = "gpt-4o-2024-08-06", gpt-4o = "gpt-4o-2024-11-20"}\n'


def test_a_deployment_has_the_prices_and_limits_of_its_model_but_not_openais_dates() -> None:
    catalog = load_catalog(read(DEPLOYED).catalog_overrides)
    prod, august = catalog.get("prod"), catalog.get("gpt-4o-2024-08-06")
    assert prod is not None
    assert august is not None
    assert (prod.base, prod.price, prod.max_output) == ("gpt-4o-2024-08-06", august.price, august.max_output)
    assert (prod.shutdown, prod.replacement, catalog.warnings("prod")) == (None, None, ())
    assert not catalog.is_alias("prod")


def test_a_deployment_called_like_a_model_leaves_that_models_facts_alone() -> None:
    plain, deployed = load_catalog(), load_catalog(read(DEPLOYED).catalog_overrides)
    assert deployed.get("gpt-4o") == plain.get("gpt-4o")


def test_the_users_own_figures_go_before_those_of_the_model() -> None:
    text = DEPLOYED + "[models.prod]\nmax_output = 99\n[prices.prod]\ninput = 7\noutput = 9\n"
    prod = load_catalog(read(text).catalog_overrides).get("prod")
    assert prod is not None
    assert prod.price is not None
    assert (prod.max_output, prod.price.input) == (99, 7)


def test_a_deployment_of_a_model_that_nobody_knows_is_told() -> None:
    with pytest.raises(ConfigError, match=r"models\.prod: found 'gpt-9'"):
        load_catalog(read(AZURE + 'deployments = {prod = "gpt-9"}\n').catalog_overrides)


def test_the_models_behind_all_hosts_names_are_at_hand() -> None:
    assert read(DEPLOYED).deployments == {"prod": "gpt-4o-2024-08-06", "gpt-4o": "gpt-4o-2024-11-20"}
