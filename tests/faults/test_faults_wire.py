"""What comes of a run whose connections break, and that going on with it mends what did not come."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.faults.cutting_proxy import Cut, CuttingProxy

from snapdrift.model import CallKey, FailureKind, Outcome, Response
from snapdrift.openai_api.client import OpenAIClient
from snapdrift.store import open_run

CASES = 12
ONCE, ALWAYS = "c1:august", "c2:august"
BROKE = "The connection broke before the answer was complete"


def run_file(root: Path) -> Path:
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    return path


def stored(root: Path, call: str) -> Response:
    case, _, variant = call.partition(":")
    with open_run(run_file(root)) as run:
        response = run.response(CallKey(case, variant, 0))
    assert response is not None
    return response


def break_two(proxy: CuttingProxy, cut: Cut) -> None:
    """The first attempt of one call, and every attempt of another."""

    def choose(request: str, times: int) -> Cut | None:
        call = request.partition("/")[0]
        return cut if call.endswith(f":{ALWAYS}") or (call.endswith(f":{ONCE}") and times == 0) else None

    proxy.choose = choose


def run_and_mend(root, snapdrift, proxy, kind: FailureKind, told: str) -> None:
    """A run in which `break_two` breaks; then the same with a network that holds."""
    command = ("run", "evals/capitals.yaml", "--base-url", proxy.base_url, "--concurrency", "4")
    done = snapdrift(*command, cwd=root)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert told in " ".join(done.stdout.split())
    verdict = json.loads((root / "reports" / "capitals" / "latest" / "verdict.json").read_text())
    assert [v["outcomes"] for v in verdict["variants"]] == [{"ok": CASES - 1, "api_error": 1}, {"ok": CASES}]

    once, always = stored(root, ONCE), stored(root, ALWAYS)
    failures = [attempt.failure for attempt in once.attempts]
    assert (once.outcome, failures[0] and failures[0].kind, failures[-1]) == (Outcome.OK, kind, None)
    assert (always.outcome, always.failure and always.failure.kind) == (Outcome.API_ERROR, kind)
    assert always.failure is not None
    assert always.failure.may_have_run  # the host had answered, so it counts against a budget
    assert told in always.failure.message

    proxy.choose = lambda _id, _times: None
    asked = proxy.seen.total()
    mended = snapdrift("resume", "latest", "--quiet", cwd=root)
    assert mended.returncode == 0, mended.stderr
    assert proxy.seen.total() - asked == 1
    assert stored(root, ALWAYS).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("cut", "told"),
    [
        (Cut.RESET_BEFORE_HEADERS, BROKE),
        (Cut.RESET_IN_HEADERS, BROKE),
        (Cut.RESET_IN_BODY, BROKE),
        (Cut.CLOSED_BEFORE_HEADERS, BROKE),
        (Cut.CLOSED_IN_BODY, BROKE),
    ],
)
def test_a_connection_that_breaks_is_tried_again_and_a_call_that_never_gets_through_is_mended_by_resume(
    workspace, snapdrift, proxy, hasty, cut, told
):
    root = workspace(cases=CASES, max_blind=0.9)
    break_two(proxy, cut)
    run_and_mend(root, snapdrift, proxy, FailureKind.CONNECTION, told)


@pytest.mark.parametrize("cut", [Cut.STALL, Cut.STALL_IN_BODY])
def test_an_answer_that_does_not_come_in_time_is_a_time_out_and_may_have_been_billed(
    workspace, snapdrift, proxy, hasty, monkeypatch, cut
):
    monkeypatch.setitem(OpenAIClient.__init__.__kwdefaults__, "timeout_s", 1.5)
    root = workspace(cases=CASES, max_blind=0.9)
    break_two(proxy, cut)
    run_and_mend(root, snapdrift, proxy, FailureKind.TIMEOUT, "It may have been answered and billed")


@pytest.mark.parametrize("cut", [Cut.DRIP, Cut.CLOSED_WHEN_IDLE])
def test_a_slow_body_and_a_connection_that_ends_between_requests_change_nothing(
    workspace, snapdrift, proxy, hasty, cut
):
    root = workspace(cases=CASES, max_blind=0.9)
    proxy.choose = lambda _id, times: cut if times == 0 else None
    command = ("run", "evals/capitals.yaml", "--base-url", proxy.base_url, "--concurrency", "4", "--json")
    done = snapdrift(*command, cwd=root)
    assert done.returncode == 0, done.stderr
    assert [variant["outcomes"] for variant in json.loads(done.stdout)["variants"]] == [{"ok": CASES}] * 2


@pytest.mark.parametrize("endpoint", ["responses", "chat"])
@pytest.mark.parametrize("cut", [Cut.RESET_IN_BODY, Cut.CLOSED_IN_BODY])
def test_a_stream_that_is_cut_is_no_answer_on_either_endpoint(workspace, snapdrift, proxy, hasty, endpoint, cut):
    root = workspace(cases=CASES, max_blind=0.9, more="stream: true\n")
    suite = root / "evals" / "capitals.yaml"
    suite.write_text(suite.read_text().replace("-08-06}", f"-08-06, endpoint: {endpoint}}}"))
    break_two(proxy, cut)
    run_and_mend(root, snapdrift, proxy, FailureKind.CONNECTION, "It may have been answered and billed")


def test_a_host_that_goes_away_ends_the_run_and_resume_asks_only_what_is_left(workspace, snapdrift, proxy, hasty):
    root, cases, answered = workspace(cases=60), 60, 30
    proxy.before = lambda number: proxy.refuse() if number == answered else None
    command = ("run", "evals/capitals.yaml", "--base-url", proxy.base_url, "--concurrency", "4")
    done = snapdrift(*command, cwd=root)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "20 calls in a row got no answer" in said
    assert "No connection to the host" in said
    assert f"go on: snapdrift resume {run_file(root).stem}" in done.stdout
    with open_run(run_file(root)) as run:
        kept = len(run.answered_keys())
    assert answered - 4 <= kept < answered

    proxy.before = lambda _number: None
    proxy.listen()
    proxy.seen.clear()
    mended = snapdrift("resume", "latest", "--quiet", cwd=root)
    assert mended.returncode == 0, mended.stderr
    assert proxy.seen.total() == 2 * cases - kept


def test_a_wait_of_an_hour_that_the_host_asks_for_ends_the_run_and_says_so(workspace, snapdrift, hasty):
    root = workspace(cases=60)
    faults = ("--faults", "429=1,retry_after=3600", "--concurrency", "4")
    done = snapdrift("run", "evals/capitals.yaml", "--standin", *faults, cwd=root)
    assert done.returncode == 3, done.stderr
    assert "It asks to wait 3600 s" in " ".join(done.stdout.split())
    assert f"go on: snapdrift resume {run_file(root).stem}" in done.stdout
    with open_run(run_file(root)) as run:
        attempts = [len(response.attempts) for response in run.responses()]
    assert max(attempts) == 1
    assert sum(attempts) <= 2 * 4  # of both models what was in flight when the first was refused, and no more


def refused(snapdrift, root: Path, url: str) -> str:
    """What a run says that cannot reach its host: it sends nothing, and there is no run."""
    done = snapdrift("run", "evals/capitals.yaml", "--base-url", url, cwd=root)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert not list((root / ".snapdrift").rglob("*.db"))
    (said,) = [str(line) for line in done.stderr.splitlines() if line.startswith("host ")]
    assert said.count(url) == 1
    return said


def test_a_host_whose_name_is_unknown_ends_the_command_before_there_is_a_run(workspace, snapdrift):
    said = refused(snapdrift, workspace(cases=CASES, max_blind=0.9), "http://snapdrift.invalid/v1")
    assert "No connection to the host" in said
    assert said.endswith("Check its base_url and the network")


class QuietServer(HTTPServer):
    """The alert of a client that does not trust it is no news."""

    def handle_error(self, *_: object) -> None:
        return


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[str]:
    """The URL of a host whose certificate nobody has vouched for."""
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = QuietServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_certificate_that_nobody_vouches_for_ends_the_command_before_there_is_a_run(
    workspace, snapdrift, self_signed
):
    said = refused(snapdrift, workspace(cases=CASES, max_blind=0.9), self_signed)
    assert "certificate" in said.lower()
    assert "SSL_CERT_FILE" in said
