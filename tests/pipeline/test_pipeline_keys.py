"""Keys: wherever one can come from, it is in no file that a command writes and in nothing that it prints."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sqlite3
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from snapdrift import keys
from snapdrift.errors import ConfigError, UsageError
from snapdrift.execution.ray import Calling
from snapdrift.model import Answer, CallKey, Endpoint, Request, Variant
from snapdrift.pipeline.fleet import HostAddress, Site
from snapdrift.pipeline.options import TargetOptions
from snapdrift.pipeline.targets import Target, open_target
from snapdrift.suites.config import parse_config
from snapdrift.suites.tool_results import PythonFunction
from snapdrift.suites.workspace import Workspace

KEY = "echoed-0123456789abcdef/XYZ"
OPENAI_KEY = "sk-proj-planted0123456789abcdef"
CASES = ("plain", "escaped", "refusal", "error", "page", "tool")

SUITE = """\
suite: leaky
budget: {usd: 5}
dataset: datasets/cases.jsonl
prompt: {input: "{{ say }}"}
request: {max_output_tokens: 64}
variants:
  one: {model: gpt-4o-2024-08-06, host: echo}
  chat: {model: gpt-4o-2024-08-06, host: echo, endpoint: chat, stream: true}
  app: {python: "app/own.py:answer"}
graders:
  - {name: said, contains: "key"}
  - {name: own, python: "app/own.py:grade"}
  - {name: kind, judge: graders/kind.yaml}
gate:
  baseline: {variant: one}
  candidates: [chat]
  metrics: {said: {margin: 0.1, severity: warn}}
  must_pass: {cases: [plain]}
"""
RUBRIC = "model: gpt-4o-mini-2024-07-18\nhost: echo\ncriteria: [It is kind.]\nsees: [answer]\nallow_retiring: true\n"
CODE = """\
import os

def answer(case):
    print("printed", os.environ["ECHO_KEY"])
    if case["id"] == "error":
        raise RuntimeError("my key is " + os.environ["ECHO_KEY"])
    return {"text": "the key is " + os.environ["ECHO_KEY"], "model": "mine"}

def grade(case, response):
    from snapdrift import Score
    if case.id == "refusal":
        raise KeyError(os.environ["OPENAI_API_KEY"])
    return Score(1.0, reason="a key " + os.environ["ECHO_KEY"], evidence=(os.environ["OPENAI_API_KEY"],))
"""


class _Echo(BaseHTTPRequestHandler):
    """Gives the key that it is sent back, in every place that an answer has."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send(200, json.dumps({"data": [{"id": self._key}]}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        case = next((name for name in CASES if f'"{name}"' in json.dumps(body.get("input") or body["messages"])), "")
        said = f"Your key is {self._key}."
        if case == "error":
            self._send(400, json.dumps({"error": {"message": said, "code": self._key, "type": f"Bearer {self._key}"}}))
        elif case == "page":
            self._send(401 if self.path.endswith("never") else 404, f"<html>{said}</html>", "text/html")
        elif body.get("stream"):
            self._stream(said)
        else:
            self._send(200, self._response(body, case, said))

    @property
    def _key(self) -> str:
        return self.headers["Authorization"].removeprefix("Bearer ")

    def _response(self, body: dict[str, Any], case: str, said: str) -> str:
        part = {"type": "refusal", "refusal": said} if case == "refusal" else {"type": "output_text", "text": said}
        if "text" in body:  # a judge is asked for JSON
            part["text"] = json.dumps({"c1": {"reason": said, "met": "yes"}, "c1_reason": said, "reason": said})
        output: list[Any] = [{"type": "message", "role": "assistant", "id": self._key, "content": [part]}]
        if case == "tool":
            call = {"type": "function_call", "call_id": self._key, "name": "f", "arguments": json.dumps({"key": said})}
            output.append({**call, "id": "fc_1", "status": "completed"})
        usage = {"input_tokens": 3, "output_tokens": 3, "total_tokens": 6}
        text = json.dumps({"id": self._key, "object": "response", "status": "completed", "model": body["model"],
                           "output": output, "usage": usage, "metadata": {self._key: self._key}})  # fmt: skip
        return text.replace("echoed", "\\u0065choed").replace("/", "\\/") if case == "escaped" else text

    def _stream(self, said: str) -> None:
        chunks = [{"index": 0, "delta": {"content": piece}} for piece in (said[:20], said[20:])]
        chunks.append({"index": 0, "delta": {}, "finish_reason": "stop"})
        events = [json.dumps({"id": self._key, "model": "gpt-4o-2024-08-06", "choices": [chunk]}) for chunk in chunks]
        self._send(200, "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]), "text/event-stream")

    def _send(self, status: int, text: str, kind: str = "application/json") -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name in ("x-request-id", "x-ratelimit-limit-requests", "location", "retry-after"):
            self.send_header(name, self._key)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """The URL of a host that echoes keys."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def texts_in(root: Path) -> Iterator[tuple[Path, str]]:
    """Everything that the files under a folder hold, unpacked."""
    import pyarrow.parquet as pq

    for path in sorted(root.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        yield path, data.decode("utf-8", "replace")
        if path.suffix == ".db":
            yield from ((path, text) for text in _values(path))
        elif path.suffix == ".parquet":
            yield path, repr(pq.read_table(path).to_pylist())
        elif path.suffix == ".html":
            for packed in re.findall(r"[A-Za-z0-9+/=]{60,}", data.decode()):
                try:
                    yield path, zlib.decompress(base64.b64decode(packed)).decode()
                except (ValueError, zlib.error):
                    continue


def _values(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608  a name of our own
                for value in row:
                    yield zlib.decompress(value).decode() if isinstance(value, bytes) else str(value)


def leaks(root: Path, done: Any) -> list[str]:
    """Where one of the planted keys is."""
    forms = {KEY, KEY.replace("/", "\\/"), KEY.replace("/", "%2F"), OPENAI_KEY}
    places = [*texts_in(root), (Path("stdout"), done.stdout), (Path("stderr"), done.stderr)]
    written = {root / "app" / "own.py"}
    return [f"{path}: {form}" for path, text in places for form in forms if form in text and path not in written]


@pytest.fixture
def leaky(tmp_path: Path, echo: str) -> Path:
    """A workspace in which everything that can give a key away does."""
    for folder in ("evals", "datasets", "app", "graders"):
        (tmp_path / folder).mkdir()
    (tmp_path / "snapdrift.toml").write_text(f'[hosts.echo]\nbase_url = "{echo}"\nkey_env = "ECHO_KEY"\n')
    (tmp_path / "evals" / "leaky.yaml").write_text(SUITE)
    (tmp_path / "graders" / "kind.yaml").write_text(RUBRIC)
    (tmp_path / "app" / "own.py").write_text(CODE)
    rows = [json.dumps({"id": name, "say": f'say "{name}"'}) + "\n" for name in CASES]
    (tmp_path / "datasets" / "cases.jsonl").write_text("".join(rows))
    return tmp_path


def test_no_file_and_no_line_has_a_key_that_everything_gives_back(leaky: Path, snapdrift: Callable[..., Any]) -> None:
    env = {"ECHO_KEY": KEY, "OPENAI_API_KEY": OPENAI_KEY}

    done = snapdrift("run", "evals/leaky.yaml", "--concurrency", "4", cwd=leaky, env=env)

    assert done.returncode in (1, 3), done.stderr
    assert leaks(leaky, done) == []
    told = "".join(text for _, text in texts_in(leaky))
    assert told.count("Your key is [key].") > 20, "the host, the judge and the stream were heard"
    assert "my key is [key]" in told, "the application failed with its key"
    assert "a key [key]" in told, "the grader gave a key away"

    again = snapdrift("report", "latest", "--summary", "out/summary.md", cwd=leaky, env=env)
    assert again.returncode == 0, again.stderr
    assert leaks(leaky, again) == []


def test_a_worker_takes_the_keys_of_its_own_machine_out_of_what_it_sends(
    leaky: Path, echo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_known", ())  # as in a process that has only begun
    monkeypatch.setenv("ECHO_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI_KEY)
    address = HostAddress("echo", echo, "ECHO_KEY", is_openai=False, api_version=None)
    grade = PythonFunction("app/own.py", "grade")
    site = Site((address,), leaky, (), ((grade, None),), 4)
    body = {"model": "gpt-4o-2024-08-06", "input": 'say "plain"'}
    request = Request(CallKey("plain", "one", 0), 0, Endpoint.RESPONSES, echo, body, "id-1")
    case = SimpleNamespace(id="plain")

    async def made() -> tuple[Answer, Any]:
        async with site.opened() as opened:
            return await opened.ask(request), await opened.call(Calling(str(grade), (case, None), {}, None))

    answer, returned = asyncio.run(made())

    assert answer.text == "Your key is [key]."
    assert (returned.value.reason, list(returned.value.evidence)) == ("a key [key]", ["[key]"])
    assert [form for form in (KEY, OPENAI_KEY) if form in repr((answer, returned))] == []


def test_a_host_knows_its_key_whatever_the_variable_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_known", ())
    HostAddress("echo", "https://llm.example.com/v1", "ECHO", is_openai=False, api_version=None).host({"ECHO": KEY})
    assert keys.without_keys(KEY) == "[key]"


def test_a_defects_traceback_has_no_key(tmp_path: Path, snapdrift: Callable[..., Any], monkeypatch: Any) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"Authorization: Bearer {KEY}, {OPENAI_KEY} and \x1b[2Jmore")

    monkeypatch.setattr("snapdrift.pipeline.check_each", broken)
    done = snapdrift("check", "x.yaml", cwd=tmp_path, env={"ECHO_KEY": KEY})

    assert done.returncode == 2
    assert "RuntimeError: Authorization: Bearer [key], [key] and \\u001b[2Jmore" in done.stderr


def test_a_key_that_was_typed_as_an_option_is_neither_stored_nor_shown(
    leaky: Path, echo: str, snapdrift: Callable[..., Any]
) -> None:
    done = snapdrift("run", "evals/leaky.yaml", "--base-url", echo, "--key-env", OPENAI_KEY, cwd=leaky)
    assert (done.returncode, "expected the name of an environment variable, not a key" in done.stderr) == (2, True)
    assert leaks(leaky, done) == []


def test_a_key_that_was_typed_anywhere_is_taken_out_of_the_command_that_a_run_keeps(monkeypatch: Any) -> None:
    from snapdrift.cli.options import command_line

    monkeypatch.setattr(sys, "argv", ["snapdrift", "run", "--case", OPENAI_KEY])
    assert command_line() == "snapdrift run --case [key]"


# --------------------------------------------------------------------------------------------- commands that print keys


def variant(host: str | None = None) -> Variant:
    return Variant("one", "gpt-4o-2024-08-06", Endpoint.RESPONSES, {}, {"input": "Hi"}, host)


def target(root: Path, config: str, env: dict[str, str] | None = None, *, code: bool = True, host: str = "") -> Target:
    workspace = Workspace(root, parse_config(config, "snapdrift.toml"))
    with open_target(TargetOptions(), workspace, env or {}, [variant(host or None)], code=code) as made:
        return made


def printing(text: str, code: int = 0) -> str:
    """A command of `snapdrift.toml` that prints a text, and says something on stderr."""
    program = f"import sys; print({text!r}); print({KEY!r}, file=sys.stderr); sys.exit({code})"
    return f"api_key_cmd = {json.dumps([sys.executable, '-c', program])}\n"


def test_a_command_of_the_workspace_gives_openais_key(tmp_path: Path) -> None:
    host = target(tmp_path, printing(OPENAI_KEY)).host(variant())
    assert (host.api_key, host.is_openai) == (OPENAI_KEY, True)
    assert keys.without_keys(f"<{OPENAI_KEY}>") == "<[key]>"


@pytest.mark.parametrize("kept", ["", "/"])
def test_a_key_is_taken_out_as_a_url_spells_it_too(monkeypatch: pytest.MonkeyPatch, kept: str) -> None:
    monkeypatch.setattr(keys, "_known", ())
    keys.know("planted+in/a=url+0123456789")
    spelled = quote("planted+in/a=url+0123456789", safe=kept)
    assert keys.without_keys(f"https://host/?key={spelled}&more") == "https://host/?key=[key]&more"


def test_a_key_that_is_spelled_alike_everywhere_is_searched_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_known", ())
    keys.know(OPENAI_KEY)
    assert keys._known == (OPENAI_KEY,)


def test_the_environment_goes_before_the_command(tmp_path: Path) -> None:
    made = target(tmp_path, printing("other"), {"OPENAI_API_KEY": OPENAI_KEY})
    assert made.host(variant()).api_key == OPENAI_KEY


def test_a_host_has_a_command_of_its_own_and_never_that_of_openai(tmp_path: Path, echo: str) -> None:
    table = f'[hosts.echo]\nbase_url = "{echo}"\n'
    assert target(tmp_path, printing(OPENAI_KEY) + table, host="echo").host(variant("echo")).api_key == "standin"
    made = target(tmp_path, printing(OPENAI_KEY) + table + printing(KEY), host="echo")
    assert made.host(variant("echo")).api_key == KEY


def test_a_line_is_split_and_no_shell_reads_it(tmp_path: Path) -> None:
    line = f"{sys.executable} -c 'print(\"{OPENAI_KEY}\")' ; touch shell"
    made = target(tmp_path, f"api_key_cmd = {json.dumps(line)}\n")
    assert made.host(variant()).api_key == OPENAI_KEY
    assert not (tmp_path / "shell").exists()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (printing(KEY, 3), r"api_key_cmd: the command python\S* ended with 3; expected it to print the key of openai"),
        (printing("two words"), "printed a key with spaces"),
        (printing(""), "printed an empty key"),
        ('api_key_cmd = ["no-such-program-here"]\n', r"the command no-such-program-here cannot be run \(No such file"),
        (f'api_key_cmd = "{OPENAI_KEY}"\n', r"the command \[key\] cannot be run"),
    ],
)
def test_a_command_that_gives_no_key_is_told_without_what_it_printed(
    tmp_path: Path, config: str, expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        target(tmp_path, config)
    assert KEY not in str(caught.value)


def test_a_command_is_not_run_where_no_code_is(tmp_path: Path) -> None:
    ran = f"from pathlib import Path; Path({str(tmp_path / 'ran')!r}).touch(); print({OPENAI_KEY!r})"
    config = f"api_key_cmd = {json.dumps([sys.executable, '-c', ran])}\n"
    with pytest.raises(UsageError, match=r"api_key_cmd: found a command \(python\S*\); --no-code runs none"):
        target(tmp_path, config, code=False)
    assert not (tmp_path / "ran").exists()


# --------------------------------------------------------------------------------------------- what a suite cannot say


@pytest.mark.parametrize(
    "line",
    [
        "api_key: sk-mine",
        "base_url: http://evil.example/v1",
        "variants: {one: {model: gpt-4o-2024-08-06, base_url: 'http://evil.example/v1'}}",
        "variants: {one: {model: gpt-4o-2024-08-06, headers: {Authorization: Bearer x}}}",
        "variants: {one: {model: gpt-4o-2024-08-06, host: 'http://evil.example/v1'}}",
        "request: {extra_headers: {Authorization: Bearer x}}",
        "request: {api_key: sk-mine}",
        "hosts: {evil: {base_url: 'http://evil.example/v1'}}",
        "api_key_cmd: [touch, ran]",
    ],
)
def test_a_suite_can_set_neither_a_url_nor_a_key(tmp_path: Path, line: str, snapdrift: Callable[..., Any]) -> None:
    (tmp_path / "evals").mkdir()
    name = line.partition(":")[0]
    rest = {
        "cases": "[{id: c1, q: Hi}]",
        "prompt": '{input: "{{ q }}"}',
        "variants": "{one: {model: gpt-4o-2024-08-06}}",
        "graders": "[{contains: a}]",
        "gate": "{must_pass: {cases: [c1]}}",
    }
    lines = ["suite: own", line, *(f"{key}: {value}" for key, value in rest.items() if key != name)]
    (tmp_path / "evals" / "own.yaml").write_text("\n".join(lines))

    done = snapdrift("run", "evals/own.yaml", "--max-usd", "1", cwd=tmp_path, env={"OPENAI_API_KEY": OPENAI_KEY})

    assert done.returncode == 2
    assert "evals/own.yaml" in done.stderr or "is not declared" in done.stderr, done.stderr
    assert not (tmp_path / ".snapdrift").exists()


def test_a_template_cannot_reach_the_environment(tmp_path: Path) -> None:
    from snapdrift.suites.templates import Template, TemplateError

    for source in ("{{ env }}", "{{ environ['OPENAI_API_KEY'] }}", "{{ self._TemplateReference__context }}"):
        with pytest.raises(TemplateError):
            Template(source).render({})
