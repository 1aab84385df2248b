"""What checking and planning a large suite takes: CPU seconds for 20,000 cases asked of three variants.

python benchmarks/planning.py [CASES] [SENTENCES OF INSTRUCTIONS]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from snapdrift.openai_api.caching import cache_prefix
from snapdrift.openai_api.requests import build_body, build_uncached
from snapdrift.openai_api.tokens import estimate_input_tokens, upper_bound_tokens
from snapdrift.pipeline import RunOptions, check_suites
from snapdrift.pipeline.planning import plan_suite
from snapdrift.suites.prompts import render

T = TypeVar("T")
TICKET = "The parcel NUMBER has not arrived after two weeks, and the page that tracks it shows nothing at all. "
SUITE = """\
suite: planning
dataset: datasets/tickets.jsonl
prompt: {{instructions: "{instructions}", input: "{{{{ ticket }}}}"}}
request: {{temperature: 0, max_output_tokens: 100}}
variants:
  august: {{model: gpt-4o-2024-08-06}}
  november: {{model: gpt-4o-2024-11-20}}
  chat: {{model: gpt-4o, endpoint: chat}}
graders: [{{name: named, contains: parcel}}]
gate: {{baseline: {{variant: august}}, metrics: {{named: {{margin: 0.1}}}}}}
"""


def main(cases: int, sentences: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        suite = write_workspace(Path(folder), cases, sentences)
        (prepared,) = timed("check", lambda: check_suites([suite], RunOptions()))
        timed("plan, after the check", lambda: plan_suite(prepared, RunOptions()))
        variant = prepared.variants[0]
        asked = timed("one variant: render", lambda: [render(variant.prompt, case) for case in prepared.cases])
        bodies = timed("one variant: bodies", lambda: [build_uncached(variant, one).body for one in asked])
        timed("one variant: bodies with cache keys", lambda: [build_body(variant, one) for one in asked])
        timed("one variant: shared prefixes", lambda: [cache_prefix(variant, body) for body in bodies])
        timed("one variant: tokens", lambda: [estimate_input_tokens(body) for body in bodies])
        timed("one variant: bounds", lambda: [upper_bound_tokens(body) for body in bodies])


def write_workspace(root: Path, cases: int, sentences: int) -> Path:
    for name in ("evals", "datasets"):
        (root / name).mkdir()
    rows = ({"id": f"c{n}", "ticket": TICKET.replace("NUMBER", str(n * 7919)) * 5} for n in range(cases))
    (root / "datasets" / "tickets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = root / "evals" / "planning.yaml"
    suite.write_text(SUITE.format(instructions="Answer as the manual says, and cite its section. " * sentences))
    return suite


def timed(what: str, work: Callable[[], T]) -> T:
    started = time.process_time()
    result = work()
    print(f"{what:<40} {time.process_time() - started:6.2f} s CPU")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=int, nargs="?", default=20_000)
    parser.add_argument("sentences", type=int, nargs="?", default=1)
    given = parser.parse_args()
    main(given.cases, given.sentences)
