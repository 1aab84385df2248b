"""Several claims at once: adjusted p-values, in the order in which the raw ones came."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjustment: the chance of any false claim stays below the level (Holm 1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return tuple(adjusted)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """The step-up adjustment that bounds the expected share of false claims (Benjamini and Hochberg 1995)."""
    count = len(p_values)
    order = sorted(range(count), key=p_values.__getitem__, reverse=True)
    adjusted = [0.0] * count
    running = 1.0
    for rank, index in enumerate(order):
        running = min(running, p_values[index] * (count / (count - rank)))
        adjusted[index] = running
    return tuple(adjusted)
