"""Over real recorded outputs."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import openai
import pytest

from snapdrift.model import ClientRequestId
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.launch import StandinProcess

pytestmark = pytest.mark.shared


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


async def ask_all(base_url: str, rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    gate = asyncio.Semaphore(64)

    async def ask(client: openai.AsyncOpenAI, number: int, row: dict[str, Any]) -> tuple[str, str]:
        name = str(ClientRequestId("gsm-1", str(number), "v", row["repeat"], 0))
        async with gate:
            raw = await client.responses.with_raw_response.create(
                model=row["model"], input=row["input"], extra_headers={"X-Client-Request-Id": name}
            )
        return raw.headers["x-snapdrift-standin"], raw.parse().output_text

    http_client = openai.DefaultAioHttpClient()  # 2,048 requests: it takes half the time of the default one
    async with openai.AsyncOpenAI(
        base_url=base_url, api_key="sk-test", max_retries=0, http_client=http_client
    ) as client:
        return await asyncio.gather(*(ask(client, number, row) for number, row in enumerate(rows)))


@pytest.mark.parametrize("name", ["numersense", "misguided"])
def test_every_real_recording_is_served_word_for_word(shared: Path, name: str) -> None:
    path = shared / "real" / name / "recordings.jsonl.gz"
    rows = read(path)
    with StandinProcess(StandinConfig.checked({"profiles": [{"recordings": [path]}]})) as standin:
        served = asyncio.run(ask_all(standin.base_url, rows))
    assert served == [("recorded", row["output"]) for row in rows]


def test_every_case_of_gsm_is_recorded_for_its_three_models(shared: Path) -> None:
    from snapdrift.standin.recordings import Recordings

    recordings = Recordings([shared / "real" / "gsm" / "recordings.jsonl.gz"])
    prompts = [case["prompt"] for case in read(shared / "real" / "gsm" / "cases.jsonl.gz")]
    assert len(recordings) == 3 * 1319
    assert all(
        isinstance(recordings.find([model], prompt, 0), str) for model in recordings.models for prompt in prompts
    )
