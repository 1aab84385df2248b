"""How far several votes on the same items agree: the share of agreeing pairs, and Krippendorff's alpha (nominal)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def pair_agreement(items: Sequence[Sequence[str]]) -> float | None:
    """The mean over items of the share of pairs of votes that say the same, in [0, 1].

    An item with fewer than two votes has no pairs and does not count; None without any that has.
    """
    shares = [_agreeing(votes) / (len(votes) * (len(votes) - 1)) for votes in items if len(votes) > 1]
    return sum(shares) / len(shares) if shares else None


def _agreeing(votes: Sequence[str]) -> int:
    return sum(number * (number - 1) for number in Counter(votes).values())


def krippendorff_alpha(items: Sequence[Sequence[str]]) -> float | None:
    """Krippendorff's alpha for nominal data: 1 is complete agreement, 0 that of chance, below 0 less than chance.

    Each item is the votes on it, of whatever number; those with fewer than two are left out, as missing votes are
    (Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, section C). None where all votes say the same or
    there are none: without variation agreement cannot show itself.
    """
    paired = [votes for votes in items if len(votes) > 1]
    totals = Counter(label for votes in paired for label in votes)
    n = sum(totals.values())
    if len(totals) < 2:
        return None
    # Coincidences: each item counts its pairs of votes by one less than its votes, so that it weighs as its votes do.
    observed = n - sum(_agreeing(votes) / (len(votes) - 1) for votes in paired)
    expected = (n * n - sum(number * number for number in totals.values())) / (n - 1)
    return 1.0 - observed / expected
