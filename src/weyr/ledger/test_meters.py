"""A meter's lines add up exactly to what ran, whatever order the news of it came in."""

from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.metering import Line, Meter, Price
from weyr.core.ref import Ref, ThingId
from weyr.ledger.accounts import unposted
from weyr.ledger.journal import DAY_MS, balances, day_of
from weyr.ledger.meters import POST_EVERY_MS, Reading, close, end, read, used

PRICE = Price(40_480, 1000, 3_600)
NOON = 1_795_348_800_000
"""2026-11-22 12:00 UTC."""
JOB = ThingId(Ref("digits", "job", "train"), "1")


def task(price: Price | None = PRICE) -> Meter:
    return Meter(JOB, "task.cpu", "aws/fargate", price, opened_ms=NOON - 500, id=1)


def bucket() -> Meter:
    return Meter(ThingId(Ref("digits", "bucket", "lake")), "storage.standard", "aws/fargate", PRICE, NOON, id=2)


def follow(meter: Meter, *readings: tuple[int, Reading]) -> tuple[Meter, list[Line]]:
    lines: list[Line] = []
    for now_ms, reading in readings:
        meter, posted = read(meter, reading, now_ms)
        lines += posted
    return meter, lines


def total(lines: list[Line]) -> tuple[int, int]:
    return sum(line.used for line in lines), sum(line.signed_micros for line in lines)


def test_a_launch_that_never_came_up_costs_nothing() -> None:
    """Opened with the intent, closed at proof of absence, and no start in between."""
    meter, lines = follow(task(), (NOON + 5_000, Reading(1000, None)))
    closed, last = close(meter, NOON + 90_000)
    assert (lines, last) == ([], ())
    assert closed.closed_ms == NOON + 90_000
    assert used(closed, NOON + 99_000) == 0


def test_a_task_counts_between_the_engines_own_records() -> None:
    """Not from when the loop looked: an attempt of 61.5 s costs 61.5 s."""
    end_ms = NOON + 61_500
    meter, lines = follow(task(), (NOON + 2_000, Reading(1000, NOON)), (NOON + 80_000, Reading(1000, NOON, end_ms)))
    assert total(lines) == (61_500_000, PRICE.cost_micros(61_500_000))
    assert not meter.is_running


def test_an_end_recorded_while_the_loop_looked_counts_to_the_millisecond() -> None:
    """A pass reads its now before it asks: what ended in between ends after that now. One hours ahead is the
    clock's doing, and is not billed beyond now."""
    _, lines = follow(task(), (NOON + 61_400, Reading(1000, NOON, NOON + 61_500)))
    assert total(lines)[0] == 61_500_000
    _, lines = follow(task(), (NOON + 61_400, Reading(1000, NOON, NOON + 3_600_000)))
    assert total(lines)[0] == 61_400_000


def test_a_running_task_posts_a_line_a_minute_and_one_at_the_end() -> None:
    """A journal of a year stays readable."""
    readings = [(NOON + s * 1000, Reading(1000, NOON)) for s in range(601)]
    _meter, lines = follow(task(), *readings, (NOON + 605_000, Reading(1000, NOON, NOON + 604_000)))
    assert [line.to_ms - line.from_ms for line in lines] == [POST_EVERY_MS] * 10 + [4_000]
    assert [line.number for line in lines] == list(range(1, 12))


def test_an_end_before_what_was_posted_is_taken_back() -> None:
    """The loop posted while it could not know better; the correction is a line, never an edit."""
    meter, lines = follow(task(), (NOON + 70_000, Reading(1000, NOON)))
    meter, correction = read(meter, Reading(1000, NOON, NOON + 65_000), NOON + 75_000)
    assert (correction[0].debit, correction[0].credit) == ("payable:aws/fargate", "expense:digits:job/train")
    assert total(lines + list(correction)) == (65_000_000, PRICE.cost_micros(65_000_000))


def test_unknown_keeps_the_meter_open_and_the_record_settles_it() -> None:
    """Three days of silence, then a record that it ended after one: one day is billed, each day its part."""
    meter, _ = follow(task(), (NOON + 1_000, Reading(1000, NOON)))
    live = unposted([meter], NOON + 3 * DAY_MS)
    assert total(list(live)) == (3 * DAY_MS * 1000, PRICE.cost_micros(3 * DAY_MS * 1000))
    meter, lines = read(meter, Reading(1000, NOON, NOON + DAY_MS), NOON + 3 * DAY_MS)
    assert [line.day for line in lines] == ["2026-11-22", "2026-11-23"]
    assert total(list(lines))[0] == DAY_MS * 1000


def test_lost_ends_at_the_proof_of_absence() -> None:
    """Nobody recorded the end; until absence was proved it may have run, and it is billed so."""
    meter, lines = follow(task(), (NOON + 1_000, Reading(1000, NOON)))
    meter, last = close(meter, NOON + 30_000)
    assert total([*lines, *last])[0] == 30_000_000
    assert close(meter, NOON + 40_000) == (meter, ())


def test_a_second_run_of_the_same_thing_ends_the_first() -> None:
    """A new start proves the old run over; the gap before a known end's successor is not billed."""
    _meter, lines = follow(
        task(),
        (NOON + 1_000, Reading(1000, NOON)),
        (NOON + 9_000, Reading(1000, NOON, NOON + 5_000)),
        (NOON + 21_000, Reading(2000, NOON + 20_000)),
        (NOON + 41_000, Reading(2000, NOON + 20_000, NOON + 40_000)),
    )
    assert total(lines)[0] == 5_000 * 1000 + 20_000 * 2000


def test_a_start_recorded_again_a_little_earlier_is_the_same_run() -> None:
    """A wrapper's record and a launcher's may differ by milliseconds; the recorded end still counts."""
    meter, lines = follow(
        task(), (NOON + 1_000, Reading(1000, NOON)), (NOON + 9_000, Reading(1000, NOON - 3, NOON + 5_000))
    )
    assert not meter.is_running
    assert total(lines)[0] == 5_000 * 1000


def test_a_late_reading_of_an_older_run_changes_nothing() -> None:
    """It was settled when the newer one began."""
    meter, _ = follow(task(), (NOON + 1_000, Reading(1000, NOON)), (NOON + 21_000, Reading(1000, NOON + 20_000)))
    for late in (Reading(500, NOON), Reading(500, NOON, NOON + 5_000)):
        assert read(meter, late, NOON + 22_000) == (meter, ())


def test_stored_bytes_are_a_step_function() -> None:
    """What was seen holds until something else is seen."""
    meter, lines = follow(
        bucket(),
        (NOON, Reading(10, None)),
        (NOON + 10_000, Reading(10, None)),
        (NOON + 20_000, Reading(1_000_000, None)),
        (NOON + 30_000, Reading(0, None)),
    )
    meter, last = close(meter, NOON + 99_000)
    assert total([*lines, *last])[0] == 20_000 * 10 + 10_000 * 1_000_000


def test_a_line_never_spans_two_days() -> None:
    """`weyr cost --by day` and a month's budget cut at midnight UTC."""
    midnight = NOON + DAY_MS // 2
    meter, lines = follow(task(), (midnight - 30_000, Reading(1000, midnight - 30_000)),
                          (midnight + 31_000, Reading(1000, midnight - 30_000)))  # fmt: skip
    assert [(line.day, line.used) for line in lines] == [("2026-11-22", 30_000_000), ("2026-11-23", 31_000_000)]
    meter, back = end(meter, midnight - 10_000)
    assert [line.day for line in back] == ["2026-11-23", "2026-11-22"]
    assert total(lines + list(back))[0] == 20_000_000


def test_what_has_no_price_is_counted_but_not_posted() -> None:
    """The bill says that something is unpriced; it does not call it free."""
    meter, lines = follow(task(None), (NOON + 99_000, Reading(1000, NOON)))
    assert lines == []
    assert used(meter, NOON + 99_000) == 99_000_000


MOMENTS = st.integers(0, 5 * 60_000) | st.integers(0, 3 * DAY_MS)


@settings(max_examples=300, deadline=None)
@given(
    quantity=st.integers(1, 64_000),
    start=MOMENTS,
    length=MOMENTS,
    looks=st.lists(st.tuples(MOMENTS, st.integers(0, 90_000), st.booleans(), st.booleans()), max_size=30),
    price=st.builds(Price, st.integers(1, 10**8), st.integers(1, 2**30), st.integers(1, 2_628_000)),
    closes_at=MOMENTS,
)
def test_the_lines_add_up_to_the_integral_of_what_ran(
    quantity: int, start: int, length: int, looks: list[tuple[int, int, bool, bool]], price: Price, closes_at: int
) -> None:
    """However often, late, out of order the loop looked, and wherever it was killed before a commit."""
    since, until = NOON + start, NOON + start + length
    meter, lines = task(price), list[Line]()
    for at, late_ms, is_lost, is_repeated in looks:
        now = NOON + at
        seen_at = now - late_ms
        reading = Reading(quantity, since if seen_at >= since else None, until if seen_at >= until else None)
        for _ in range(2 if is_repeated else 1):
            after, posted = read(meter, reading, now)
            if not is_lost:  # the transaction was rolled back: neither the state nor the lines are kept
                meter, lines = after, [*lines, *posted]
    for _ in range(2):
        meter, posted = read(meter, Reading(quantity, since, until), until + closes_at)
        lines += posted
    meter, posted = close(meter, until + closes_at)
    lines += posted

    assert total(lines) == (quantity * length, price.cost_micros(quantity * length))
    assert sum(balances(lines).values()) == 0
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert all(day_of(max(line.from_ms, line.to_ms) - 1) == line.day for line in lines)
    assert unposted([meter], until + closes_at + DAY_MS) == ()


@settings(max_examples=200, deadline=None)
@given(
    levels=st.lists(
        st.tuples(st.integers(0, 2 * POST_EVERY_MS) | st.integers(0, 2 * DAY_MS), st.integers(0, 2**42)),
        min_size=1,
        max_size=30,
    ),
    rest=MOMENTS,
)
def test_storage_adds_up_to_the_integral_of_its_steps(levels: list[tuple[int, int]], rest: int) -> None:
    """Sizes seen at any intervals, each seen twice: the bill is the area under the steps."""
    meter, lines, now, area, size = bucket(), list[Line](), NOON, 0, 0
    for wait, seen in levels:
        area, now, size = area + size * wait if meter.is_running else area, now + wait, seen
        for _ in range(2):
            meter, posted = read(meter, Reading(seen, None), now)
            lines += posted
    live = sum(line.signed_micros for line in unposted([meter], now + rest))
    meter, posted = close(meter, now + rest)

    assert total([*lines, *posted])[0] == area + size * rest
    assert total([*lines, *posted])[1] == PRICE.cost_micros(area + size * rest) == total(lines)[1] + live
