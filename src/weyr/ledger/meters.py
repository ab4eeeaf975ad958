"""How does a meter follow what an engine saw? Pure: a meter and a reading give a meter and lines.

Three sorts of SKU. A *recorded* one (tasks) counts between the engine's own records of start and
end: without a start nothing ran, and a record that comes late or twice changes nothing but the
interval it names. A *level* (stored bytes) is a step function: what was seen holds until something
else is seen. A *counter* (requests, bytes that left) only grows while its thing lives: what it is above its
highest reading is used. While nothing is known a meter gets no reading and stays open.
"""

from dataclasses import dataclass, replace
from math import inf

from weyr.core.kind import Usage
from weyr.core.metering import Line, Meter
from weyr.ledger.journal import DAY_MS, post, used_at

PASS_MS = 10_000
"""How long a pass may look at engines, and so how far its own now may lie before what they recorded."""

POST_EVERY_MS = 60_000
"""A running meter posts a line a minute: half a million a year, and a kill costs no line but the last."""

_LEVELS = ("storage.", "commitment.")
_COUNTERS = ("requests.", "egress.", "retrieval.", "tokens.", "outside.")
COUNTED = 1000
"""A counter's unit counts as if it were used for a second: prices, lines and sums need not know the sort."""

Posting = tuple[Meter, tuple[Line, ...]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen of one SKU of one thing, in milliseconds. `since_ms` None: no start is recorded."""

    quantity: int
    since_ms: int | None
    until_ms: int | None = None


def reading_of(usage: Usage) -> Reading:
    since, until = usage.since, usage.until
    return Reading(usage.quantity, None if since is None else ms(since), None if until is None else ms(until))


def ms(seconds: float) -> int:
    """Unix seconds as whole milliseconds, the ledger's clock."""
    return round(seconds * 1000)


def is_level(sku: str) -> bool:
    """Whether the SKU counts what is seen from when it is seen, not a run between two records."""
    return sku.startswith(_LEVELS)


def is_counter(sku: str) -> bool:
    """Whether the SKU counts events, whose number the engine gives since the thing came to be (its `since`)."""
    return sku.startswith(_COUNTERS)


def used(meter: Meter, at_ms: int) -> int:
    """Quantity x milliseconds that the meter has counted at a moment, as far as is known."""
    return used_at(meter, end_of(meter, at_ms))


def end_of(meter: Meter, at_ms: int) -> int:
    """The moment up to which the meter counts at `at_ms`: its recorded end, if that is earlier."""
    return at_ms if meter.until_ms is None else min(at_ms, meter.until_ms)


def read(meter: Meter, reading: Reading, now_ms: int) -> Posting:
    """Takes one reading. A closed meter, and a reading older than the last, are left as they are."""
    if meter.closed_ms is not None:
        return meter, ()
    if is_counter(meter.sku):
        return _counted(meter, reading, now_ms)
    if is_level(meter.sku):
        since_ms = now_ms if reading.since_ms is None else reading.since_ms
        begins = meter.run_since_ms is None or (meter.until_ms is not None and reading.until_ms is None)
        reading = replace(reading, since_ms=since_ms if begins else meter.run_since_ms)
    if reading.since_ms is None:
        return meter, ()
    meter, lines = _in_run(meter, reading.since_ms, reading.quantity)
    if meter.until_ms is not None or not _is_of_run(meter, reading):
        return meter, lines
    if reading.until_ms is not None:
        # A little ahead: it ended while this pass looked, whose now is older. Far ahead: the clock was set back.
        is_ahead = reading.until_ms > now_ms + PASS_MS
        meter, ended = end(meter, now_ms if is_ahead else reading.until_ms)
        return meter, lines + ended
    meter, stepped = _stepped(meter, reading.quantity, now_ms)
    meter, due = _due(meter, now_ms)
    return meter, lines + stepped + due


def end(meter: Meter, at_ms: int) -> Posting:
    """The run ended at `at_ms`: posts the rest of it. Whatever was posted beyond is taken back."""
    if not meter.is_running:
        return meter, ()
    # What a counter used is not undone by an end before it was last posted.
    until_ms = max(at_ms, meter.posted_until_ms if is_counter(meter.sku) else meter.run_from_ms)
    return post(replace(meter, until_ms=until_ms), until_ms, is_last=True)


def next_line_at(meter: Meter, now_ms: int) -> float:
    """When a meter that nothing else is read of owes its next line (Unix milliseconds); never, if it does not run."""
    if not meter.is_running or meter.price is None or (is_counter(meter.sku) and meter.settled == meter.posted):
        return inf
    due_ms = meter.posted_until_ms + POST_EVERY_MS
    # Overdue because what was used is not worth a micro-unit yet: it is weighed again a line's time later.
    return due_ms if due_ms > now_ms else now_ms + POST_EVERY_MS


def close(meter: Meter, at_ms: int) -> Posting:
    """The thing is proved absent since `at_ms`: what still ran ends there, and the meter counts no more."""
    if meter.closed_ms is not None:
        return meter, ()
    meter, lines = end(meter, at_ms)
    return replace(meter, closed_ms=at_ms), lines


def clock_was_set(meter: Meter, unset_ms: int, now_ms: int) -> Posting:
    """The clock was set from `unset_ms` to `now_ms`. What ran until then is settled, and the run goes on from now."""
    if not meter.is_running:
        return meter, ()
    meter, lines = post(meter, unset_ms, is_last=False)
    settled = used_at(meter, unset_ms)
    return replace(meter, settled=settled, run_from_ms=now_ms, posted_until_ms=now_ms), lines


def _counted(meter: Meter, reading: Reading, now_ms: int) -> Posting:
    """Takes what a counter shows. Used is what it shows above the highest that it ever showed of this thing.

    So a reading that comes late or twice adds nothing, nor does one of a backup that was restored, until the counter
    is where it was: what was paid once is not paid again. A later `since` is another thing of that name, which
    began from nothing.
    """
    since_ms = reading.since_ms if reading.since_ms is not None else meter.run_since_ms or 0
    if meter.run_since_ms is None:
        meter = replace(meter, run_from_ms=now_ms, posted_until_ms=now_ms)
    elif since_ms < meter.run_since_ms:
        return meter, ()
    shown = meter.counted if meter.run_since_ms == since_ms else 0
    meter = replace(meter, run_since_ms=since_ms, counted=max(shown, reading.quantity))
    if meter.counted == shown:
        return _due(meter, now_ms)
    lines: tuple[Line, ...] = ()
    midnight_ms = now_ms // DAY_MS * DAY_MS
    if meter.posted_until_ms < midnight_ms:
        # It counts for the day on which it was seen; what was seen before is of the days before.
        meter, lines = post(meter, midnight_ms, is_last=False)
        meter = replace(meter, posted_until_ms=midnight_ms)
    meter = replace(meter, settled=meter.settled + (meter.counted - shown) * COUNTED)
    meter, due = _due(meter, now_ms)
    return meter, lines + due


def _in_run(meter: Meter, since_ms: int, quantity: int) -> Posting:
    """Begins the run that started at `since_ms`, unless it is the present one or an older one.

    A new run proves that the one before it is over; where no end was recorded it is the new start.
    """
    if meter.run_since_ms is not None and since_ms <= meter.run_since_ms:
        return meter, ()
    meter, lines = end(meter, since_ms)
    from_ms = since_ms if meter.until_ms is None else max(since_ms, meter.until_ms)
    meter = replace(
        meter,
        quantity=quantity,
        run_since_ms=since_ms,
        run_from_ms=from_ms,
        until_ms=None,
        settled=used_at(meter, meter.until_ms) if meter.until_ms is not None else meter.settled,
        posted_until_ms=from_ms,
    )
    return meter, lines


def _is_of_run(meter: Meter, reading: Reading) -> bool:
    """Whether the reading is of the meter's run, and not a late one of the run before.

    A start may be recorded again a little earlier. Runs of one thing do not overlap, so a reading that
    ends after our run began is of our run.
    """
    assert meter.run_since_ms is not None
    return reading.since_ms == meter.run_since_ms or (reading.until_ms or 0) > meter.run_since_ms


def _stepped(meter: Meter, quantity: int, now_ms: int) -> Posting:
    """The quantity changed some time before `now_ms`: it counts from now, when it was seen."""
    if quantity == meter.quantity or now_ms < max(meter.run_from_ms, meter.posted_until_ms):
        return meter, ()
    lines: tuple[Line, ...] = ()
    if meter.posted_until_ms // DAY_MS != now_ms // DAY_MS:
        # Days are cut along a straight line, so the days before this step are posted before it bends.
        meter, lines = post(meter, now_ms, is_last=False)
    meter = replace(meter, settled=used_at(meter, now_ms), run_from_ms=now_ms, quantity=quantity)
    return meter, lines


def _due(meter: Meter, now_ms: int) -> Posting:
    is_due = now_ms - meter.posted_until_ms >= POST_EVERY_MS
    return post(meter, now_ms, is_last=False) if is_due else (meter, ())
