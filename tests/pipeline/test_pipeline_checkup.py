"""`doctor` looks at each thing apart, says how to mend what is wrong, and never shows a key."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from snapdrift.pipeline import checkup_machine
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.launch import StandinProcess

KEY = "sk-a-key-that-nobody-may-see"
SUITE = """\
suite: s
cases: [{id: a, q: Hello}]
prompt: {input: "{{ q }}"}
variants: {one: {model: gpt-4o-2024-08-06}}
graders: [{name: said, contains: a}]
gate: {metrics: {said: {at_least: 0.0}}}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "snapdrift.toml").write_text("")
    return tmp_path


@pytest.fixture(scope="module")
def standin() -> Iterator[str]:
    """The URL of a stand-in that takes one key only."""
    with StandinProcess(StandinConfig(key=KEY, limits={"rpm": 500, "tpm": 30_000})) as process:
        yield process.base_url


@pytest.fixture
def old_host() -> Iterator[str]:
    """The URL of a host without a list of models, whose clock stands in 2020."""

    class Old(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002
            return "Wed, 01 Jan 2020 00:00:00 GMT"

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Old) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def checks(done) -> dict[str, tuple[str, str, str]]:
    """By name: the level, what was found, and how it is mended."""
    document = json.loads(done.stdout)
    assert document["format"] == "snapdrift.doctor/1"
    assert document["exit_code"] == done.returncode
    return {check["name"]: (check["level"], check["found"], check["mend"]) for check in document["checks"]}


def test_a_dead_port_is_bad_and_everything_else_is_looked_at_all_the_same(workspace, snapdrift):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        done = snapdrift("doctor", "--base-url", url, "--json", cwd=workspace)
    found = checks(done)
    assert done.returncode == 2
    assert found["network"][0] == "bad"
    assert "cannot connect" in found["network"][1]
    assert found["network"][2]
    assert found["host"][:2] == ("warn", "not asked, since there is no way to it from here")
    assert [name for name, (level, _, _) in found.items() if level == "bad"] == ["network"]
    assert {"python", "sqlite", "packages", "extras", "git", "disk", "state folder", "prices"} <= found.keys()


def test_with_the_right_key_the_host_tells_its_limits_clock_and_alias(workspace, snapdrift, standin):
    done = snapdrift(
        "doctor", "--base-url", standin, "--key-env", "MINE", "--spend", "--json", cwd=workspace, env={"MINE": KEY}
    )
    found = checks(done)
    assert done.returncode == 0, done.stdout
    assert KEY not in done.stdout + done.stderr
    assert found["key"][:2] == ("ok", "MINE: there")
    assert "a stand-in" in found["http"][1]
    assert found["clock"][0] == "ok"
    assert found["limits"][1].startswith("500 requests a window, 499 left; 30,000 tokens a window")
    assert "gpt-4o is answered by gpt-4o-2024-08-06, as the catalogue has it" in found["alias"][1]


def test_a_key_that_the_host_refuses_is_bad_and_nothing_is_asked_that_costs(workspace, snapdrift, standin):
    done = snapdrift(
        "doctor",
        "--base-url",
        standin,
        "--key-env",
        "MINE",
        "--spend",
        cwd=workspace,
        env={"MINE": "another-wrong-key"},
    )
    assert done.returncode == 2
    assert "another-wrong-key" not in done.stdout
    assert "refuses the key (401)" in done.stdout
    assert "answers in" not in done.stdout
    assert done.stdout.rstrip().endswith("1 bad")


def test_without_spending_it_says_what_one_question_would_cost(workspace, snapdrift, standin):
    found = checks(snapdrift("doctor", "--base-url", standin, "--json", cwd=workspace))
    assert "question" not in found
    assert "costs at most $0.0" in found["alias"][2]
    assert "--spend" in found["limits"][2] or found["limits"][1].startswith("500")


def test_a_clock_that_is_years_off_is_bad_and_a_host_without_a_list_is_not(workspace, snapdrift, old_host):
    found = checks(snapdrift("doctor", "--base-url", old_host, "--json", cwd=workspace))
    assert found["clock"][0] == "bad"
    assert "ahead of" in found["clock"][1]
    assert found["http"][0] == "ok"
    assert "lists no models (404)" in found["http"][1]


def test_a_key_that_cannot_be_one_is_bad_and_not_repeated(workspace, snapdrift, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", offline)
    done = snapdrift("doctor", cwd=workspace, env={"OPENAI_API_KEY": "two words-and-more"})
    assert done.returncode == 2
    assert "spaces" in done.stdout
    assert "two words" not in done.stdout
    assert "offline?" in done.stdout


def offline(*_: object, **__: object) -> None:
    raise socket.gaierror(-2, "Name or service not known")


def test_what_the_environment_says_is_told_without_passwords(workspace, snapdrift):
    env = {"HTTPS_PROXY": "http://me:hunter2@proxy.example:3128", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    done = snapdrift("doctor", "--base-url", "http://127.0.0.1:9/v1", "--json", cwd=workspace, env=env)
    found = checks(done)
    assert "HTTPS_PROXY=http://[hidden]@proxy.example:3128" in found["proxies"][1]
    assert "hunter2" not in done.stdout
    assert found["environment"][0] == "warn"
    assert "OPENAI_BASE_URL" in found["environment"][1]


def test_runs_that_were_killed_or_are_none_are_told_with_what_to_do(workspace, snapdrift):
    (workspace / "evals").mkdir()
    (workspace / "evals" / "s.yaml").write_text(SUITE)
    assert snapdrift("run", "evals/s.yaml", "--standin", "--case", "a", cwd=workspace).returncode == 5
    (run,) = (workspace / ".snapdrift" / "runs").glob("*.db")
    arguments = ["doctor", "--base-url", "http://127.0.0.1:9/v1", "--json"]
    assert checks(snapdrift(*arguments, cwd=workspace))["runs"][:2] == ("ok", "1 run; 1 finished")
    killed = run.with_name("20200101-000000-0000.db")
    shutil.copy(run, killed)
    with closing(sqlite3.connect(killed)) as connection, connection:
        connection.execute("UPDATE meta SET value = 'running' WHERE key = 'state'")
    level, found, mend = checks(snapdrift(*arguments, cwd=workspace))["runs"]
    assert (level, found) == ("warn", "2 runs; 1 finished, 1 interrupted")
    assert "resume" in mend
    run.with_name("20190101-000000-0000.db").write_bytes(b"no database")
    level, found, mend = checks(snapdrift(*arguments, cwd=workspace))["runs"]
    assert level == "warn"
    assert "20190101-000000-0000.db" in mend


def test_a_state_folder_that_cannot_be_and_mistakes_of_the_configuration_are_bad(workspace, snapdrift):
    (workspace / "snapdrift.toml").write_text('state = "snapdrift.toml/x"\n')
    done = snapdrift("doctor", "--base-url", "http://127.0.0.1:9/v1", "--json", cwd=workspace)
    assert checks(done)["state folder"][0] == "bad"
    (workspace / "snapdrift.toml").write_text("concurency = 3\n")
    level, found, _ = checks(snapdrift("doctor", "--base-url", "http://127.0.0.1:9/v1", "--json", cwd=workspace))[
        "workspace"
    ]
    assert (level, "snapdrift.toml:1:1" in found) == ("bad", True)


@pytest.mark.parametrize(
    ("version", "bounds", "fits"),
    [("2.12", ">=2.12,<3", True), ("2.12.1", ">=2.12,<3", True), ("3.0rc1", ">=2.12,<3", False),
     ("2.9", ">=2.12,<3", False), ("0.61.0", ">=0.40", True), ("1", "", True)],
)  # fmt: skip
def test_versions_are_held_against_what_is_needed(version, bounds, fits):
    assert checkup_machine._fits(version, bounds) is fits
