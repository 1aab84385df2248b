"""The stand-in as a process: it starts, answers, logs, and ends with whoever started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from snapdrift.errors import ConfigError
from snapdrift.model import ClientRequestId
from snapdrift.standin import ahead
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.launch import StandinProcess
from snapdrift.standin.server import listen

AUGUST = "gpt-4o-2024-08-06"
COMMAND = Path(__file__).parents[2] / "src" / "snapdrift" / "cli" / "standin.py"


@pytest.fixture(autouse=True)
def _as_the_program_starts_it(monkeypatch: pytest.MonkeyPatch, warm_standins: Callable[..., Any]) -> None:
    monkeypatch.setattr(ahead, "start_server", warm_standins)


def alive(pid: int) -> bool:
    """Whether a process runs (one that ended and is not yet reaped does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def eventually(condition: Callable[[], bool], within_seconds: float = 30.0) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_it_answers_while_the_context_lasts_and_is_gone_afterwards() -> None:
    with StandinProcess(StandinConfig()) as standin:
        pid = standin.pid
        with openai.OpenAI(base_url=standin.base_url, api_key="sk-test") as client:
            assert client.responses.create(model=AUGUST, input="Hello").output_text
    assert pid is not None
    assert not alive(pid)


def test_a_configuration_that_cannot_be_served_is_an_error_with_its_reason(tmp_path: Path) -> None:
    config = StandinConfig.checked({"profiles": [{"recordings": [tmp_path / "gone.jsonl"]}]})
    with pytest.raises(ConfigError, match=r"did not start.*gone\.jsonl: cannot be read"), StandinProcess(config):
        pass


def test_it_ends_though_a_request_is_still_stalled() -> None:
    config = StandinConfig.checked({"faults": "stall=1"})
    with StandinProcess(config) as standin:
        pid = standin.pid
        client = openai.OpenAI(base_url=standin.base_url, api_key="k", max_retries=0, timeout=0.3)
        with client, pytest.raises(openai.APITimeoutError):
            client.responses.create(model=AUGUST, input="Hello")
    assert pid is not None
    assert not alive(pid)


PARENT = """
import sys
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.launch import StandinProcess
with StandinProcess(StandinConfig()) as standin:
    print(standin.pid, standin.base_url, flush=True)
    sys.stdin.read()
"""


def test_it_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        pid, base_url = parent.stdout.readline().split()
        with openai.OpenAI(base_url=base_url, api_key="sk-test") as client:
            assert client.responses.create(model=AUGUST, input="Hello").output_text
        os.kill(parent.pid, signal.SIGKILL)
    assert eventually(lambda: not alive(int(pid)))


@pytest.fixture
def command() -> Iterator[Callable[..., str]]:
    """Runs `snapdrift standin` with options; returns the announced base URL."""
    script = (
        "import importlib.util, sys, typer\n"
        f"spec = importlib.util.spec_from_file_location('command', {str(COMMAND)!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "typer.run(module.standin)\n"
    )
    started: list[subprocess.Popen[str]] = []

    def run(*options: str) -> str:
        process = subprocess.Popen([sys.executable, "-c", script, *options], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return str(json.loads(process.stdout.readline())["base_url"])

    yield run
    for process in started:
        with process:
            process.terminate()


def test_the_command_announces_its_address_and_serves_its_options(
    command: Callable[..., str], tmp_path: Path, rows_file: Any
) -> None:
    rows = rows_file(tmp_path / "rows.jsonl", [{"model": "gpt-4o-2024-11-20", "input": "hi", "output": "recorded hi"}])
    log = tmp_path / "log.jsonl"
    base_url = command(
        "--recordings", str(rows), "--alias", "gpt-4o=gpt-4o-2024-11-20", "--log", str(log), "--faults", "first=500"
    )
    with openai.OpenAI(base_url=base_url, api_key="sk-test", max_retries=1) as client:
        response = client.responses.create(model="gpt-4o", input="hi")
    assert (response.output_text, response.model) == ("recorded hi", "gpt-4o-2024-11-20")
    assert len(log.read_text().splitlines()) == 4


def test_the_log_has_a_line_for_each_request_and_each_answer(start: Any, connect: Any, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "requests.jsonl"
    client = connect(start(log=log))
    name = str(ClientRequestId("suite-run", "case/1", "a:b", 2, 0))
    client.responses.create(model=AUGUST, input="Hello", extra_headers={"X-Client-Request-Id": name})
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "Hello"}])
    received, finished, _, failed = map(json.loads, log.read_text().splitlines())
    expected = {"run": "suite-run", "case": "case/1", "variant": "a:b", "repeat": 2, "step": 0, "model": AUGUST}
    assert expected.items() <= received.items()
    assert {**expected, "event": "finished", "status": 200, "source": "simulated", "fault": None}.items() <= (
        finished.items()
    )
    assert (failed["status"], failed["error"], failed["endpoint"]) == (404, "model_not_found", "chat")


def test_a_call_that_is_asked_twice_is_seen_in_the_log(start: Any, connect: Any, tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    client = connect(start(log=log))
    for _ in range(2):
        client.responses.create(model=AUGUST, input="Hello", extra_headers={"X-Client-Request-Id": "r:c:v/0/0"})
    received = [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "received"]
    assert [line["arrival"] for line in received] == [0, 1]


def test_latency_is_waited_for(start: Any, connect: Any) -> None:
    client = connect(start(latency="80"))
    raw = client.responses.with_raw_response.create(model=AUGUST, input="Hello")
    assert int(raw.headers["openai-processing-ms"]) >= 80


def test_a_port_that_is_taken_is_a_clear_error() -> None:
    with listen(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} of 127\.0\.0\.1: .*expected a free port"):
            listen(port)


def test_it_listens_on_loopback_only() -> None:
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_importing_the_command_does_not_import_the_server() -> None:
    script = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('command', {str(COMMAND)!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "print(sorted({'starlette', 'uvicorn', 'openai'} & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_server_that_ended_at_once_is_not_said_to_have_taken_long(tmp_path: Path) -> None:
    (tmp_path / "no folder").write_text("a file")
    config = StandinConfig.checked({"log": tmp_path / "no folder" / "log.jsonl"})
    with pytest.raises(ConfigError) as said, StandinProcess(config):
        pass
    assert str(said.value).startswith("the stand-in did not start: standin.log: ")
    assert " s:" not in str(said.value)
