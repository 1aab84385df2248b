"""The texts of `models`: the catalogue, a model in full, and a host's list against it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from snapdrift.cli import app, catalogued, tables
from snapdrift.errors import IncompleteError, UsageError
from snapdrift.openai_api.catalog import Catalog, load_catalog
from snapdrift.openai_api.client import ListedModel
from snapdrift.pipeline import TargetOptions
from snapdrift.pipeline.refreshing import Difference, DifferenceKind, Refreshed, _differences, refresh_models

AUGUST = "gpt-4o-2024-08-06"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(today=date(2026, 11, 22))


def test_the_catalogue_has_a_row_a_model(catalog):
    lines = catalogued.catalogue(catalog).splitlines()
    rows = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert {info.name for info in catalog.models()} <= set(rows)
    assert "2027-01-14 (53 d)   gpt-6-luna" in rows["gpt-4o-2024-11-20"]
    assert "2026-10-23 (gone)" in rows["gpt-4o-2024-05-13"]
    assert max(len(rows[info.name]) for info in catalog.models()) <= tables.WIDTH + 2


def test_a_model_is_shown_with_the_source_and_date_of_every_figure(catalog):
    text = catalogued.details(catalog, ["gpt-4o"])
    assert text.startswith(f"gpt-4o (alias of {AUGUST})\n")
    rows = {line[2:24].strip(): line for line in text.splitlines()}
    assert rows["price, priority"].split("  ")[1:] != []
    assert rows["azure_shutdown"].rstrip().endswith(", unverified")
    assert not rows["limits.1"].rstrip().endswith("unverified")
    assert "OpenAI documentation, guides/pricing (2026-07-15)" in text
    assert "warning: OpenAI shuts gpt-4o down on 2027-01-14" in text


def test_what_is_not_known_of_a_model_is_said_and_has_no_source(catalog):
    rows = catalogued.details(catalog, ["gpt-6-luna"]).splitlines()
    assert next(row for row in rows if "context_window" in row).rstrip().endswith("not known")


def test_the_models_are_there_as_json(catalog):
    document = json.loads(catalogued.catalogue_json(catalog, [f"ft:{AUGUST}:acme::x"]))
    (model,) = document["models"]
    assert model["model"] == f"ft:{AUGUST}:acme::x"
    assert model["price"]["input"] == 3.75
    assert model["sources"]["price"]["date"] == "2026-11-22"
    assert len(json.loads(catalogued.catalogue_json(catalog, []))["models"]) == len(catalog.models())


# ------------------------------------------------------------------------------------------------------------ refreshed


def listed(catalog: Catalog, **changes: str | None) -> list[ListedModel]:
    """What OpenAI would list if the catalogue were right, but for the changes."""
    dates = {
        info.name: info.shutdown.isoformat() if info.shutdown else None
        for info in catalog.models()
        if not info.name.startswith("ft:") and (info.shutdown is None or info.shutdown > catalog.today)
    }
    dates |= {name.replace("_", "-"): day for name, day in changes.items()}
    return [ListedModel(name, 0, day) for name, day in dates.items()]


def test_a_list_that_agrees_differs_in_nothing(catalog):
    assert list(_differences(catalog, listed(catalog))) == []


def test_another_shutdown_date_is_told_with_the_lines_that_adopt_it(catalog):
    (found,) = _differences(catalog, listed(catalog, gpt_4o="2027-03-01"))
    assert str(found) == "gpt-4o: shut down on 2027-03-01; the catalogue has 2027-01-14"
    assert found.toml == '[models."gpt-4o"]\nshutdown = 2027-03-01'
    adopted = load_catalog({"gpt-4o": {"shutdown": date(2027, 3, 1)}}).get("gpt-4o")
    assert adopted is not None
    assert adopted.shutdown == date(2027, 3, 1)


def test_a_new_model_of_the_family_is_told_and_others_are_not(catalog):
    (found,) = _differences(catalog, listed(catalog, gpt_4o_audio="2027-05-01", gpt_9=None, whisper_1=None))
    assert (found.model, found.kind) == ("gpt-4o-audio", DifferenceKind.NEW)
    assert found.toml is not None
    assert "shutdown = 2027-05-01" in found.toml


def test_a_model_that_is_no_longer_listed_is_told(catalog):
    without = [one for one in listed(catalog) if one.id != AUGUST]
    (found,) = _differences(catalog, without)
    assert str(found) == f"{AUGUST}: is not listed; the catalogue has it until 2027-01-14"
    assert found.toml is None


def test_a_deployment_of_another_host_need_not_be_listed():
    own = load_catalog({"triage-prod": {"deployment_of": AUGUST}})
    without = [one for one in listed(own) if one.id != "triage-prod"]
    assert list(_differences(own, without, {"triage-prod"})) == []


def test_a_model_that_is_listed_after_its_end_is_told(catalog):
    (found,) = _differences(catalog, listed(catalog, gpt_4o_2024_05_13=None))
    assert found.kind is DifferenceKind.STILL_LISTED


def test_a_fine_tuned_model_of_a_known_family_is_nothing_new(catalog):
    mine = ListedModel(f"ft:{AUGUST}:acme::x", 0, "2027-01-14")
    assert list(_differences(catalog, [*listed(catalog), mine])) == []


def test_differences_are_shown_with_what_to_write(catalog):
    found = Refreshed(
        "https://api.openai.com/v1",
        made_up=False,
        listed=9,
        differences=(Difference("gpt-4o", DifferenceKind.SHUTDOWN, "2027-01-14", "2027-03-01"),),
    )
    text = catalogued.refreshed(found)
    assert "https://api.openai.com/v1 lists 9 models; the catalogue differs:" in text
    assert text.endswith('put into snapdrift.toml:\n\n[models."gpt-4o"]\nshutdown = 2027-03-01\n')
    assert json.loads(catalogued.refreshed_json(found))["differences"][0]["listed"] == "2027-03-01"


def test_a_stand_in_s_list_says_that_it_is_one():
    assert "says nothing of OpenAI" in catalogued.refreshed(Refreshed("http://127.0.0.1:1/v1", True, 3, ()))


@pytest.fixture
def host(tmp_path: Path):
    """A loopback host that lists models; gives its URL."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    servers: list[HTTPServer] = []

    def serve(status: int, document: Any) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


Serve = Callable[[int, Any], str]


def test_a_host_is_asked_for_its_models(host: Serve, tmp_path: Path):
    models = [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "system", "shutdown_date": "2027-03-01"}]
    url = host(200, {"object": "list", "data": models})
    found = refresh_models(TargetOptions(base_url=url), {}, tmp_path)
    assert (found.base_url, found.made_up, found.listed) == (url, False, 1)
    assert Difference("gpt-4o", DifferenceKind.SHUTDOWN, "2027-01-14", "2027-03-01") in found.differences


def test_a_host_without_a_list_is_an_error_that_names_it(host: Serve, tmp_path: Path):
    url = host(404, {"error": {"message": "no such path", "type": "invalid_request_error", "code": None}})
    with pytest.raises(IncompleteError, match="gave no list of models: "):
        refresh_models(TargetOptions(base_url=url), {}, tmp_path)


def test_without_a_key_it_says_what_to_do(tmp_path: Path):
    with pytest.raises(UsageError, match="no API key: OPENAI_API_KEY is not set"):
        refresh_models(TargetOptions(), {}, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gpt-4o-2024-11-2"], 'did you mean "gpt-4o-2024-11-20"'),
        (["gpt-4o", "--refresh"], "leave them out"),
        (["--host", "mine"], "without --refresh"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)


def test_the_command_prints_a_model(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["models", "gpt-4o-mini"], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout.startswith("gpt-4o-mini (alias of gpt-4o-mini-2024-07-18)")
