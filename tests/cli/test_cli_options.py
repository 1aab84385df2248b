"""Options become values: durations, targets, and amounts that are a ceiling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from snapdrift.cli import COMMANDS, app, options
from snapdrift.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, None), ("90s", 90.0), ("20m", 1200.0), ("2h", 7200.0), ("45", 45.0), ("1.5m", 90.0), (" 5s ", 5.0)],
)
def test_a_duration_is_read_in_seconds(text, expected):
    assert options.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0s", "-5m", "20 min", "m", "1h30m", "soon", "nan", "1e3"])
def test_what_is_no_duration_is_told_with_what_is_one(text):
    with pytest.raises(UsageError, match="expected a time such as 90s, 20m or 2h"):
        options.seconds(text)


@pytest.mark.parametrize("given", [{"recordings": [Path("a.jsonl")]}, {"behaviour": "august"}])
def test_naming_recordings_or_a_behaviour_asks_for_the_stand_in(given):
    taken: dict[str, Any] = {"recordings": None, "behaviour": None, **given}
    made = options.target(standin=False, host=None, base_url=None, key_env=None, **taken)
    assert made.standin


def test_without_options_no_target_is_named():
    assert not options.target(False, None, None, None, None, None).standin


@pytest.mark.parametrize("amount", ["nan", "inf", "-1", "much", "1e300"])
def test_an_amount_that_is_no_ceiling_is_refused(amount):
    done = CliRunner().invoke(app, ["run", "suite.yaml", "--max-usd", amount])
    assert done.exit_code == 2
    assert "--max-usd" in done.output


def test_a_ceiling_beyond_what_can_be_counted_is_refused_with_the_most_that_can():
    done = CliRunner().invoke(app, ["run", "suite.yaml", "--max-usd", "1e12"])
    assert done.exit_code == 2
    assert "expected at most 1,000,000,000" in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize("size", ["0", "-1", "inf", "nan"])
def test_a_page_of_no_size_is_refused(size):
    done = CliRunner().invoke(app, ["report", "latest", "--split", size])
    assert done.exit_code == 2
    assert "expected megabytes above 0" in done.output


@pytest.mark.parametrize(
    "url",
    ["ftp://x.example/a", "javascript:alert(1)", "report/index.html", "https://", "https://x.example/a b",
     "https://x.example/\u202e", "https://x.example/\n", "https://me:secret@x.example/", "https://[x/",
     "https://x.example/" + "a" * 2000],
)  # fmt: skip
def test_an_address_that_is_none_or_must_not_be_published_is_refused(url):
    done = CliRunner().invoke(app, ["report", "latest"], env={"SNAPDRIFT_REPORT_URL": url})
    assert done.exit_code == 2
    assert "--report-url" in done.output
    assert "secret" not in done.output


def test_the_address_of_the_page_is_taken_as_it_is():
    url = "https://ci.example/runs/1?file=index.html#top"
    assert options._web_address(url) == url
    assert options._web_address("") is None


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example(name):
    done = CliRunner().invoke(app, [name, "--help"])
    assert done.exit_code == 0
    assert "Example" in done.output
    assert f"snapdrift {name}" in done.output


def test_every_option_says_what_it_is_for():
    command: Any = typer.main.get_command(app)
    silent = [
        f"{name} {parameter.name}"
        for name, one in command.commands.items()
        for parameter in one.params
        if not parameter.help
    ]
    assert silent == []
