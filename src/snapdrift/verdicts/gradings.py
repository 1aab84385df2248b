"""What scores say beyond their means, from the facts that they keep."""

from __future__ import annotations

from snapdrift.gradings import Gradings
from snapdrift.model import Gate, Results
from snapdrift.verdicts.confusions import find_confusions
from snapdrift.verdicts.orders import order_agreements
from snapdrift.verdicts.voting import vote_agreements


def summarise_gradings(results: Results, gate: Gate) -> Gradings:
    """The confusion of labels, the agreement of votes and of orders of a run's scores."""
    return Gradings(
        confusions=find_confusions(results),
        votes=vote_agreements(results),
        orders=order_agreements(results, gate),
    )
