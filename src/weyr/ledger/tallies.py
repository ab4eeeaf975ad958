"""Which of several meters stands where in the tiers of a month? Each counts after the one before it. Pure.

A provider's free part and tiers hold for a whole account. What is used next is the dearer for what was used before,
whichever object used it: together they pay what the month's sum costs, whatever the order in which they are posted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from weyr.core.metering import Meter, Tallied
from weyr.ledger.journal import post
from weyr.ledger.meters import end_of


class Turn:
    """What was used of each tally so far, as meters are posted one after the other."""

    def __init__(self) -> None:
        self._latest: dict[str, Tallied] = {}

    def of(self, meter: Meter) -> Meter:
        """The meter as it stands after those that came before it."""
        if meter.price is None or meter.price.tally not in self._latest:
            return meter
        return replace(meter, tallied=self._latest[meter.price.tally])

    def past(self, meter: Meter) -> None:
        """What this meter has posted counts before whatever comes now."""
        if meter.price is not None and meter.price.is_tiered:
            self._latest[meter.price.tally] = meter.tallied


def in_turn(meters: Iterable[Meter], now_ms: int) -> Iterator[Meter]:
    """The meters so that what each has not posted at this moment is counted after that of those before it."""
    turn = Turn()
    for meter in meters:
        placed = turn.of(meter)
        yield placed
        if placed.price is not None and placed.price.is_tiered:
            turn.past(post(placed, end_of(placed, now_ms), is_last=True)[0])
