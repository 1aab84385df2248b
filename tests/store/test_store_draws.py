from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import pytest

from snapdrift.errors import StoreError
from snapdrift.store.draws import SKETCH, draws_of, shared

PATH = Path("run.db")


def rows(texts: list[str], outcome: str = "ok") -> list[tuple[str, str, int, str, bytes, str]]:
    return [
        ("august", f"c{n}", 0, outcome, zlib.compress(text.encode()), f"2026-11-{n + 1:02d}")
        for n, text in enumerate(texts)
    ]


def sketch(numbers: range) -> tuple[str, ...]:
    return tuple(sorted(hashlib.sha256(str(n).encode()).hexdigest() for n in numbers)[:SKETCH])


def test_the_same_answers_are_the_same_draw_and_one_other_answer_makes_another() -> None:
    one, same, other = (draws_of(rows(texts), PATH)["august"] for texts in (["a", "b"], ["a", "b"], ["a", "c"]))

    assert one == same
    assert one.digest != other.digest
    assert (one.answers, one.oldest, one.newest) == (2, "2026-11-01", "2026-11-02")


def test_what_was_not_measured_is_no_part_of_a_draw() -> None:
    assert draws_of(rows(["a"], "api_error"), PATH) == {}


def test_an_outcome_that_nobody_knows_is_refused() -> None:
    with pytest.raises(StoreError, match="found the outcome 'odd'"):
        draws_of(rows(["a"], "odd"), PATH)


def test_draws_no_larger_than_a_sketch_are_compared_exactly() -> None:
    assert shared(sketch(range(10)), sketch(range(5, 15))) == pytest.approx(5 / 15)
    assert shared((), ()) == 0


@pytest.mark.parametrize(("kept", "share"), [(1000, 1.0), (0, 0.0), (900, 0.82)])
def test_of_larger_ones_the_share_is_estimated(kept: int, share: float) -> None:
    found = shared(sketch(range(1000)), sketch(range(1000 - kept, 2000 - kept)))

    assert found == pytest.approx(share, abs=0.2)
    assert (found in (0.0, 1.0)) is (share in (0.0, 1.0))
