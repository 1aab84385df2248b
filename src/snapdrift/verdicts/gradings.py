"""What scores say beyond their means, from the facts that they keep."""

from __future__ import annotations

from collections.abc import Mapping

from snapdrift.gradings import Gradings
from snapdrift.model import Gate, Results
from snapdrift.verdicts.call_columns import CallColumns, call_columns
from snapdrift.verdicts.confusions import find_confusions
from snapdrift.verdicts.orders import order_agreements
from snapdrift.verdicts.voting import vote_agreements


def summarise_gradings(results: Results, gate: Gate, calls: Mapping[str, CallColumns] | None = None) -> Gradings:
    """The confusion of labels, the agreement of votes and of orders of a run's scores.

    `calls` are those of the results where they are columns already.
    """
    calls = call_columns(results) if calls is None else calls
    return Gradings(
        confusions=find_confusions(results, calls),
        votes=vote_agreements(results),
        orders=order_agreements(results, gate),
    )
