"""GitHub's API on loopback, as far as the steps ask it: comments of a pull request, and issues."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_a_token_of_the_job"
BOT = "github-actions[bot]"


@dataclass
class GitHub:
    """What the server holds. `writable` False answers every change as a token without the permission gets it.

    `down` is for how many requests more a gateway answers 502.
    """

    url: str = ""
    writable: bool = True
    down: int = 0
    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def add_comment(self, body: str, author: str = BOT, issue: int = 7) -> None:
        self.comments.append(
            {"id": 1_000 + len(self.comments), "issue": issue, "body": body, "user": {"login": author}}
        )

    def add_issue(self, sent: dict[str, Any], author: str = BOT) -> None:
        number = 500 + len(self.issues)
        self.issues.append({"number": number, "id": number * 9, "state": "open", "user": {"login": author}, **sent})

    def ours(self) -> list[dict[str, Any]]:
        """The comments that a job wrote."""
        return [one for one in self.comments if one["user"]["login"] == BOT]


@contextmanager
def github_api() -> Iterator[GitHub]:
    """The API of the repository `acme/app`, whose pull request has the number 7."""
    github = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it so
            pass

        def do_GET(self) -> None:
            self._answer("GET", {})

        def do_POST(self) -> None:
            self._answer("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def do_PATCH(self) -> None:
            self._answer("PATCH", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, method: str, sent: dict[str, Any]) -> None:
            parts = urlsplit(self.path)
            github.asked.append(f"{method} {parts.path}")
            if github.down:
                github.down -= 1
                self._reply(502, {})
            elif self.headers["Authorization"] != f"Bearer {TOKEN}":
                self._reply(401, {})
            elif method != "GET" and not github.writable:
                self._reply(403, {"message": "Resource not accessible by integration"})
            else:
                self._reply(*_answered(github, method, parts.path, parse_qs(parts.query), sent))

        def _reply(self, status: int, body: Any) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    github.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answered(
    github: GitHub, method: str, path: str, query: dict[str, list[str]], sent: dict[str, Any]
) -> tuple[int, Any]:
    found = re.fullmatch(r"/repos/acme/app/issues(?P<comment>/comments)?(?:/(?P<id>\d+))?(?P<of>/comments)?", path)
    if found is None:
        return 404, {}
    number = int(found["id"] or 0)
    if found["comment"]:
        (comment,) = [one for one in github.comments if one["id"] == number]
        comment.update(sent)
        return 200, comment
    if found["of"] and method == "POST":
        github.add_comment(sent["body"], issue=number)
        return 201, github.comments[-1]
    if found["of"]:
        return 200, _page([one for one in github.comments if one["issue"] == number], query)
    if method == "POST":
        github.add_issue(sent)
        return 201, github.issues[-1]
    if method == "PATCH":
        (issue,) = [one for one in github.issues if one["number"] == number]
        issue.update(sent)
        return 200, issue
    (author,) = query["creator"]
    return 200, _page([i for i in github.issues if i["state"] == "open" and i["user"]["login"] == author], query)


def _page(entries: list[dict[str, Any]], query: dict[str, list[str]]) -> list[dict[str, Any]]:
    size, page = int(query["per_page"][0]), int(query["page"][0])
    return entries[(page - 1) * size : page * size]
