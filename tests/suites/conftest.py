"""A workspace on disk, and a registry of two small grader families to load suites with."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from snapdrift.errors import SuiteError
from snapdrift.model import Case, Conversation, Endpoint, MetricSpec, ScoreKind, Variant, sha256
from snapdrift.suites.loader import load_suite
from snapdrift.suites.prompts import Template, TemplateError
from snapdrift.suites.registry import Finding, InvalidEntryError, JudgeAt, Location, ReadFile
from snapdrift.suites.resolved import Suite
from snapdrift.suites.workspace import Workspace, find_workspace


@dataclass(frozen=True)
class FakeGrader:
    """`same` compares with a template; `stars` has a scale of 1 to 5 and a rubric file."""

    name: str
    family: str
    argument: str
    extract: Any = None
    tag: str | None = None

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        if self.family == "stars":
            return (MetricSpec(self.name, self.name, ScoreKind.GRADED, scale=(1.0, 5.0), judged=True),)
        return (MetricSpec(self.name, self.name, ScoreKind.PASS_FAIL),)

    @property
    def version(self) -> str:
        return f"{self.family}/1:{sha256([self.argument, self.extract])[:8]}"

    @property
    def templates(self) -> Mapping[Location, Template]:
        return {("same",): Template(self.argument)} if self.family == "same" else {}

    @property
    def tags(self) -> tuple[str, ...]:
        return () if self.tag is None else (self.tag,)

    @property
    def calibratable(self) -> bool:
        return self.family == "stars"

    @property
    def judges_at(self) -> Mapping[Location, JudgeAt]:
        return {}

    def tools_named(self, case: Case) -> tuple[str, ...]:
        del case
        return ()

    def applies(self, case: Case) -> bool:
        return self.tag is None or self.tag in case.tags

    def resolved(self) -> dict[str, Any]:
        when = {} if self.tag is None else {"when": {"tag": self.tag}}
        key = {"stars": "text"}.get(self.family, self.family)
        return {"name": self.name, key: self.argument, "extract": self.extract, **when}


class FakeRegistry:
    def families(self) -> tuple[str, ...]:
        return ("same", "stars")

    def parse(
        self, entry: Mapping[str, Any], *, default_extract: Any, read: ReadFile, cases: Sequence[Case]
    ) -> FakeGrader:
        del cases
        known = {"name", "same", "stars", "text", "extract", "when"}
        findings = [Finding((key,), "unknown key", f"expected one of {sorted(known)}") for key in entry.keys() - known]
        if entry.get("extract", default_extract) == "wrong":
            findings.append(Finding(("extract",), '"wrong"', "expected a step"))
        if not entry.keys() & {"same", "stars", "text"}:
            findings.append(Finding((), "no family", "expected same or stars"))
        texts = {"name": None, "same": "", "stars": "", "text": ""} | dict(entry)
        wrong = [key for key in ("name", "same", "stars", "text") if not isinstance(texts[key], str)]
        findings.extend(Finding((key,), "something else", "expected text") for key in wrong)
        if not isinstance(entry.get("when", {}), dict) or not isinstance(entry.get("when", {}).get("tag", ""), str):
            findings.append(Finding(("when",), "something else", "expected {tag: text}"))
        if findings:
            raise InvalidEntryError(findings)
        extract, tag = entry.get("extract", default_extract), entry.get("when", {}).get("tag")
        if "same" not in entry:
            text = entry["text"] if "text" in entry else read(entry["stars"])
            return FakeGrader(entry["name"], "stars", text, extract, tag)
        try:
            Template(entry["same"])
        except TemplateError as error:
            raise InvalidEntryError([Finding(("same",), str(error), "expected a template")]) from None
        return FakeGrader(entry["name"], "same", entry["same"], extract, tag)

    def json_schema(self) -> dict[str, Any]:
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"$ref": "#/$defs/Name"}},
            "$defs": {"Name": {"type": "string"}},
        }


class FakeFacts:
    """A catalogue in which `gpt-6-luna` takes no temperature, at most 20 characters, and is soon shut down."""

    def check_request(self, model: str, endpoint: Endpoint, request: Mapping[str, Any]) -> tuple[Finding, ...]:
        if model == "gpt-6-luna" and endpoint is Endpoint.RESPONSES and "temperature" in request:
            return (Finding(("temperature",), "a temperature for a reasoning model", "expected temperature: null"),)
        return ()

    def check_conversation(self, variant: Variant, conversation: Conversation) -> tuple[Finding, ...]:
        length = sum(len(message.text) for turn in conversation.turns for message in turn)
        if variant.model != "gpt-6-luna" or length <= 20:
            return ()
        return (Finding(("input",), f"{length} characters", "expected 20 at most"),)

    def retires_within(self, model: str, days: int) -> str | None:
        return f"gpt-6-luna is gone in {days} days" if model == "gpt-6-luna" else None

    def reasons(self, model: str, endpoint: Endpoint) -> bool:  # noqa: ARG002
        return model == "gpt-6-luna"

    def request_warnings(self, variant: Variant) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def warnings(self, model: str) -> tuple[str, ...]:
        return ("gpt-6-luna is soon shut down",) if model == "gpt-6-luna" else ()


def png(width: int = 3, height: int = 2) -> bytes:
    """A whole PNG of one colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)

    header = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x00\x00\x00\x00"
    pixels = zlib.compress(b"\x00" * (height * (width + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def gif(pictures: int) -> bytes:
    """A GIF of so many pictures of one pixel, with a comment before each."""
    picture = b"\x21\xfe\x02hi\x00" + b"\x2c" + b"\x00" * 4 + b"\x01\x00\x01\x00\x00" + b"\x02\x02\x44\x01\x00"
    return b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + b"\x00" * 6 + picture * pictures + b"\x3b"


PDF = b"%PDF-1.4\n%%EOF\n"


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    root = tmp_path / "workspace"
    (root / "evals").mkdir(parents=True)
    (root / "snapdrift.toml").write_text(
        '[hosts.proxy]\nbase_url = "https://proxy.example/v1"\nkey_env = "PROXY_KEY"\n'
    )
    return find_workspace(root)


Load = Callable[..., Suite]


@pytest.fixture
def load(workspace: Workspace, registry: FakeRegistry) -> Load:
    """Writes `evals/s.yaml` and further files, and loads the suite."""

    def load(text: str, files: Mapping[str, str | bytes] | None = None, facts: FakeFacts | None = None) -> Suite:
        for name, content in (files or {}).items():
            path = workspace.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        path = workspace.root / "evals" / "s.yaml"
        path.write_text(text, encoding="utf-8")
        return load_suite(path, workspace, registry, facts)

    return load


@pytest.fixture
def mistakes(load: Load) -> Callable[..., list[str]]:
    """The lines of the error that loading a suite ends in."""

    def mistakes(
        text: str, files: Mapping[str, str | bytes] | None = None, facts: FakeFacts | None = None
    ) -> list[str]:
        with pytest.raises(SuiteError) as caught:
            load(text, files, facts)
        return str(caught.value).splitlines()

    return mistakes


@pytest.fixture
def facts() -> FakeFacts:
    return FakeFacts()


GOOD = """\
suite: triage
cases:
  - {id: a, ticket: hello, expected: billing, tags: [golden]}
  - {id: b, ticket: help, expected: support}
prompt: {input: "{{ ticket }}"}
variants:
  august: {model: gpt-4o-2024-08-06}
  november: {model: gpt-4o-2024-11-20}
graders:
  - {name: queue, same: "{{ expected }}"}
gate:
  baseline: {variant: august}
  metrics:
    queue: {margin: 0.03}
"""


@pytest.fixture
def good() -> str:
    """A suite without mistakes; tests change one thing of it."""
    return GOOD
