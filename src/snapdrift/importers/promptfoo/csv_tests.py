"""Tests in a table: columns that are variables, and columns such as `__expected` that are something else.

The columns and the short form of assertions are those of promptfoo's documentation (test cases, CSV).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from snapdrift.importers.promptfoo.kinds import LISTS, TYPES

_SHORT = re.compile(r"(not-)?([a-z][a-z0-9-]*)(?:\((\d+(?:\.\d+)?)\))?(?::(.*))?", re.S)
_CODE = (("javascript:", "javascript"), ("fn:", "javascript"), ("eval:", "javascript"), ("python:", "python"))
_WITH_THRESHOLD = (
    "answer-relevance", "classifier", "context-faithfulness", "context-recall", "context-relevance", "cost",
    "latency", "levenshtein", "perplexity-score", "perplexity", "rouge-n", "similar", "starts-with",
)  # fmt: skip
_CONFIG = re.compile(r"__config:(__expected\d*):(\w+)")


def case_of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The test that a row of a table is."""
    test: dict[str, Any] = {"vars": {}, "assert": []}
    options: dict[str, Any] = {}
    written: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        if name.startswith("__expected"):
            if str(value).strip():
                written[name] = assertion_of(str(value))
        elif name in ("__prefix", "__suffix"):
            options[name[2:]] = value
        elif name == "__description":
            test["description"] = value
        elif name == "__threshold":
            test |= {"threshold": number} if (number := _number(value)) is not None else {}
        elif name.startswith("__metadata:"):
            test.setdefault("metadata", {})[name.partition(":")[2].removesuffix("[]")] = value
        elif name == "__providerOutput":
            test |= {"providerOutput": value} if value else {}
        elif not name.startswith(("__metric", "__config")):
            test["vars"][name] = value
    _configure(row, written)
    return {**test, "assert": list(written.values()), **({"options": options} if any(options.values()) else {})}


def _configure(row: Mapping[str, Any], written: Mapping[str, dict[str, Any]]) -> None:
    """Gives assertions their metric and what `__config:` columns say of them."""
    for name, value in row.items():
        if name == "__metric" and value:
            for assertion in written.values():
                assertion["metric"] = value
        match = _CONFIG.fullmatch(name)
        if match is None or not value:
            continue
        target = written.get(match[1]) or (written.get("__expected") if match[1] == "__expected1" else None)
        if target is not None:
            number = _number(value)
            target[match[2]] = value if number is None else number


def assertion_of(text: str) -> dict[str, Any]:
    """The assertion that a short form is: `contains:Paris`, `similar(0.8):yes`, or text that has to be equal."""
    for prefix, kind in _CODE:
        if text.startswith(prefix):
            return {"type": kind, "value": text.removeprefix(prefix).strip()}
    if text.startswith("file://"):
        return {"type": "python" if ".py" in text else "javascript", "value": text}
    if text.startswith("grade:"):
        return {"type": "llm-rubric", "value": text.removeprefix("grade:")}
    match = _SHORT.fullmatch(text)
    if match is None or match[2] not in TYPES:
        return {"type": "equals", "value": text}
    made: dict[str, Any] = {"type": f"{match[1] or ''}{match[2]}"}
    if match[4] is not None:
        made["value"] = [part.strip() for part in match[4].split(",")] if match[2] in LISTS else match[4]
    if match[3] is not None:
        made["threshold"] = float(match[3])
    elif match[2] in _WITH_THRESHOLD:
        made["threshold"] = 0.8 if match[2] == "similar" else 0.75
    return made


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
