"""The ledger's rule where somebody sets the clock: time that did not pass is not billed, time that passed is billed
once, whatever it was called."""

import pytest

from weyr.core.metering import Line, Meter, Price
from weyr.core.ref import ThingId
from weyr.ledger import meters
from weyr.ledger.meters import Reading

HOUR_MS = 3_600_000
START_MS = 1_795_651_200_000 - 10 * 60_000
"""Ten minutes before a month ends."""
STEPS = {"a minute": 60_000, "an hour": HOUR_MS, "a day": 24 * HOUR_MS, "over a month's end": 15 * 60_000}


def running() -> Meter:
    meter = Meter(ThingId.parse("digits:job/train#1"), "task.cpu", "local", Price(1_000_000, 1, 3600), START_MS, id=1)
    return meters.read(meter, Reading(1, START_MS), START_MS)[0]


@pytest.mark.parametrize("sign", [1, -1], ids=["forward", "back"])
@pytest.mark.parametrize("step", STEPS)
def test_a_set_clock_bills_what_ran(step: str, sign: int) -> None:
    """Two minutes before the clock is set, three after it: five on the bill, and every line adds up to that."""
    step_ms = sign * STEPS[step]
    posted: list[Line] = []

    def take(posting: meters.Posting) -> Meter:
        posted.extend(posting[1])
        return posting[0]

    meter = take(meters.read(running(), Reading(1, START_MS), START_MS + 60_000))
    unset_ms = START_MS + 120_000
    meter = take(meters.clock_was_set(meter, unset_ms, unset_ms + step_ms))
    assert meters.used(meter, unset_ms + step_ms) == 120_000
    meter = take(meters.read(meter, Reading(1, START_MS), unset_ms + step_ms + 60_000))
    end_ms = unset_ms + step_ms + 180_000
    meter = take(meters.read(meter, Reading(1, START_MS, end_ms), end_ms + 1_000))

    assert meters.used(meter, end_ms) == 300_000
    assert sum(line.used for line in posted) == 300_000
    assert all(line.used > 0 for line in posted), "nothing is taken back, for nothing was billed too much"
    assert sum(line.micros for line in posted) == 300_000 * 1_000_000 // HOUR_MS


@pytest.mark.parametrize("step", STEPS)
def test_an_end_from_before_the_clock_was_set_back_is_no_more_than_now(step: str) -> None:
    """The task ended, the clock went back, and its end was seen only then: it lies ahead of now."""
    ended_ms = START_MS + 120_000
    unset_ms = ended_ms + 1_000
    now_ms = unset_ms - STEPS[step]
    meter, _ = meters.clock_was_set(running(), unset_ms, now_ms)
    meter, _ = meters.read(meter, Reading(1, START_MS, ended_ms), now_ms + 500)
    assert 120_000 <= meters.used(meter, now_ms) <= 122_000
