"""Writes `returns.jsonl`: customers who want to send something back, with what the shop's tools say about each order.

Run it as `python datasets/make_returns.py`. Every third customer shows the label of the parcel instead of naming the
order: the pictures are those of `parcels.jsonl`, and so are the order numbers on them. What is expected is chosen
first; message and tool results are made from it.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TARGET = HERE / "returns.jsonl"
SEED = 3007
ITEMS = ("teapot", "desk lamp", "rucksack", "raincoat", "cutting board", "radio", "hammock", "wall clock")
# Why it goes back, as the function takes it, and how a customer says so.
REASONS = {
    "damaged": (
        "The {item} came broken. I would like to send it back. {order}",
        "There is a crack right through the {item}. What now? {order}",
        "My {item} arrived with a dent and does not work. Please take it back. {order}",
    ),
    "wrong_item": (
        "I ordered a {item} and got something else entirely. {order} I want to return it.",
        "This is not the {item} on your page. How do I send it back? {order}",
        "You sent me the wrong {item}. Please start a return. {order}",
    ),
    "not_wanted": (
        "I have changed my mind about the {item}. Can it go back? {order}",
        "The {item} is fine, but I do not need it after all. {order} Please arrange a return.",
        "Too big for my flat, sadly: I would like to return the {item}. {order}",
    ),
}
NAMED = ("It is order {order}.", "My order number is {order}.", "Order {order}.")
SHOWN = "The label is on the photo."
FIRST, LAST = 1, 30
"""Days after delivery on which the shop takes things back."""


def rows() -> list[dict[str, Any]]:
    """Every row: 16 orders by number, 16 by photo, 8 delivered too long ago, 8 that the shop does not know."""
    rng = random.Random(SEED)  # noqa: S311  the numbers are no secrets
    parcels = map(json.loads, (HERE / "parcels.jsonl").read_text(encoding="utf-8").splitlines())
    photos = [row for row in parcels if "photo" in row]
    made = [_started(f"named-{number:02}", _order(rng), rng) for number in range(1, 17)]
    made += [
        {**_started(f"photo-{number:02}", row["expected"]["order"], rng, shown=True), "photo": row["photo"]}
        for number, row in enumerate(photos[:16], 1)
    ]
    made += [_late(f"late-{number:02}", _order(rng), rng) for number in range(1, 9)]
    made += [_unknown(f"unknown-{number:02}", _order(rng), rng) for number in range(1, 9)]
    return made


def _started(case_id: str, order: str, rng: random.Random, *, shown: bool = False) -> dict[str, Any]:
    message, reason, item = _message(order, rng, shown=shown)
    found = {"item": item, "days_since_delivery": rng.randint(FIRST, LAST)}
    number = f"R-{rng.randrange(1_000, 10_000)}"
    start = {"name": "start_return", "arguments": {"order": order, "reason": reason}, "step": 1}
    expected = {"tool_calls": [_find(order), start], "order": order, "outcome": "return_started", "number": number}
    results = _results(order, found, number)
    return _row(case_id, ["return", "photo" if shown else "named"], message, expected, results)


def _late(case_id: str, order: str, rng: random.Random) -> dict[str, Any]:
    message, _, item = _message(order, rng)
    found = {"item": item, "days_since_delivery": rng.randint(LAST + 5, 200)}
    expected = {"tool_calls": [_find(order)], "order": order, "outcome": "too_late", "number": None}
    return _row(case_id, ["no-return", "late"], message, expected, _results(order, found, "R-0000"))


def _unknown(case_id: str, order: str, rng: random.Random) -> dict[str, Any]:
    message, _, _ = _message(order, rng)
    expected = {"tool_calls": [_find(order)], "order": order, "outcome": "unknown_order", "number": None}
    nothing = {"otherwise": {"error": "no such order"}}
    return _row(
        case_id, ["no-return", "unknown"], message, expected, {"find_order": [nothing], "start_return": [nothing]}
    )


def _message(order: str, rng: random.Random, *, shown: bool = False) -> tuple[str, str, str]:
    """The customer's words, the reason in them, and the thing that they are about."""
    reason, item = rng.choice(sorted(REASONS)), rng.choice(ITEMS)
    named = SHOWN if shown else rng.choice(NAMED).format(order=order)
    return rng.choice(REASONS[reason]).format(item=item, order=named), reason, item


def _results(order: str, found: dict[str, Any], number: str) -> dict[str, Any]:
    """What the tools say of the one order that there is; of any other they say that there is none."""
    nothing = {"otherwise": {"error": "no such order"}}
    started = {"args": {"order": order}, "match": "subset", "returns": {"return_number": number}}
    return {
        "find_order": [{"args": {"order": order}, "returns": found}, nothing],
        "start_return": [started, nothing],
    }


def _find(order: str) -> dict[str, Any]:
    return {"name": "find_order", "arguments": {"order": order}}


def _order(rng: random.Random) -> str:
    return f"SD-{rng.randrange(10_000, 100_000)}"


def _row(case_id: str, tags: list[str], message: str, expected: Any, results: Any) -> dict[str, Any]:
    return {"id": case_id, "tags": tags, "message": message, "expected": expected, "tool_results": results}


def main() -> None:
    """Writes the dataset."""
    TARGET.write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")


if __name__ == "__main__":
    main()
