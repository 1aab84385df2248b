"""The recipe for a CI matrix: it is YAML, its commands are understood, and its shards are all that it merges."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import typer.main
import yaml

from snapdrift.cli import app
from snapdrift.cli.options import shard
from snapdrift.pipeline.shard_notes import NOTE

PAGE = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text(encoding="utf-8")
CLI: Any = typer.main.get_command(app)


def jobs() -> dict[str, Any]:
    (block,) = re.findall(r"^```yml\n(.+?)^```$", PAGE, re.M | re.S)
    found: dict[str, Any] = yaml.safe_load(block)["jobs"]
    return found


def commands(job: str) -> list[list[str]]:
    lines = [step["run"] for step in jobs()[job]["steps"] if step.get("run", "").startswith("snapdrift ")]
    return [shlex.split(line) for line in lines]


def test_every_shard_of_the_matrix_is_run_by_a_command_that_is_understood():
    numbers = jobs()["shard"]["strategy"]["matrix"]["shard"]
    (words,) = commands("shard")

    def of(number: int) -> Any:
        filled = [word.replace("${{", "").replace("}}", "") for word in words if word != "matrix.shard"]
        arguments = [f"{number}/{len(numbers)}" if word.endswith(f"/{len(numbers)}") else word for word in filled[2:]]
        return CLI.commands["run"].make_context("run", [word for word in arguments if word]).params["shard"]

    parts = [shard(of(number)) for number in numbers]
    assert [part and (part.index, part.count) for part in parts] == [(n, len(numbers)) for n in numbers]


def test_the_last_job_merges_and_needs_no_key():
    gate = jobs()["gate"]
    (words,) = commands("gate")

    assert CLI.commands["merge"].make_context("merge", words[2:]).params["runs"] == ["shards"]
    assert gate["needs"] == "shard"
    assert "secrets" not in yaml.safe_dump(gate)


def test_what_the_jobs_upload_is_what_shards_leave_and_goes_where_the_last_job_looks_for_it():
    (upload,) = (step["with"] for step in jobs()["shard"]["steps"] if "upload-artifact" in step.get("uses", ""))
    (download,) = (step["with"] for step in jobs()["gate"]["steps"] if "download-artifact" in step.get("uses", ""))

    assert upload["path"].split() == [".snapdrift/runs/*.db", f".snapdrift/runs/*{NOTE}"]
    assert upload["include-hidden-files"]
    assert (download["path"], "merge-multiple" in download) == ("shards", False)  # else older copies replace newer ones


def test_the_command_lines_of_the_engine_are_understood():
    (block,) = re.findall(r"^```sh\n(.+?)^```$", PAGE, re.M | re.S)
    lines = [shlex.split(line, comments=True) for line in block.splitlines() if line.startswith("snapdrift ")]

    assert len(lines) == 2
    for words in lines:
        assert CLI.commands["run"].make_context("run", words[2:]).params["engine"] == "ray"
