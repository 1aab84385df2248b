"""A stand-in that bills more than it was asked for, for a share of the questions."""

from __future__ import annotations

import pytest

from snapdrift.errors import ConfigError
from snapdrift.standin.billing import Overbilling
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.replies import Spent

SPENT = Spent(input_tokens=10, output_tokens=4, cached_tokens=8)


def test_tokens_are_reported_so_many_times_and_those_from_the_cache_as_they_are() -> None:
    assert Overbilling.parse("2.5").billed(SPENT, 0, "q") == Spent(25, 10, 8)
    assert Overbilling.parse("").billed(SPENT, 0, "q") == SPENT


def test_a_share_of_the_questions_is_billed_so_and_the_same_ones_each_time() -> None:
    overbilling = Overbilling.parse("3:0.25")
    billed = [overbilling.billed(SPENT, 7, f"q{number}") != SPENT for number in range(400)]
    assert 60 < sum(billed) < 140
    assert billed == [overbilling.billed(SPENT, 7, f"q{number}") != SPENT for number in range(400)]


@pytest.mark.parametrize("text", ["0.5", "x", "3:2", "3:", "nan", "1e9"])
def test_what_is_no_factor_is_a_mistake_in_the_configuration(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a factor such as 3"):
        StandinConfig(overbill=text)
