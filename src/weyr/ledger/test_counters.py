"""A counter's lines add up to what it showed, however often, late or repeatedly it was read."""

from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.metering import Line, Meter, Price
from weyr.core.ref import Ref, ThingId
from weyr.ledger.accounts import rate_of, unposted
from weyr.ledger.journal import DAY_MS, balances, day_of
from weyr.ledger.meters import COUNTED, POST_EVERY_MS, Reading, clock_was_set, close, next_line_at, read

READS = Price(400, 1000, 1)
NOON = 1_795_348_800_000
"""2026-11-22 12:00 UTC."""
MADE = NOON - 5_000


def requests() -> Meter:
    lake = ThingId(Ref("digits", "bucket", "lake"))
    return Meter(lake, "requests.read", "aws/s3-standard", READS, opened_ms=NOON, id=1)


def follow(meter: Meter, *readings: tuple[int, int, int]) -> tuple[Meter, list[Line]]:
    """Readings as (now, count, since)."""
    lines: list[Line] = []
    for now_ms, count, since_ms in readings:
        meter, posted = read(meter, Reading(count, since_ms), now_ms)
        lines += posted
    return meter, lines


def counted(lines: list[Line]) -> int:
    return sum(line.used for line in lines) // COUNTED


def test_what_was_counted_before_the_first_look_is_on_the_bill() -> None:
    """A job may read a million objects before the loop looks for the first time."""
    meter, lines = follow(requests(), (NOON, 1_000_000, MADE), (NOON + POST_EVERY_MS, 1_000_000, MADE))
    _, last = close(meter, NOON + POST_EVERY_MS)

    assert (counted([*lines, *last]), sum(line.micros for line in lines)) == (1_000_000, 400_000)


def test_a_restored_backup_is_not_paid_twice_and_never_back() -> None:
    """The counter of a backup is where it was; until it is there again nothing is owed, and nothing is given back."""
    meter, lines = follow(requests(), (NOON, 5_000, MADE), (NOON + 100_000, 2_000, MADE), (NOON + 200_000, 5_500, MADE))
    _, last = close(meter, NOON + 300_000)

    assert counted([*lines, *last]) == 5_500
    assert all(line.debit.startswith("expense:") for line in [*lines, *last])


def test_a_new_bucket_of_the_name_begins_from_nothing() -> None:
    """Deleted outside and made again: what the old one had counted stays, what the new one counts is added."""
    again = NOON + 50_000
    meter, lines = follow(requests(), (NOON, 5_000, MADE), (NOON + 60_000, 300, again), (NOON + 61_000, 9_000, MADE))
    _, last = close(meter, NOON + 300_000)

    assert counted([*lines, *last]) == 5_300


def test_it_counts_for_the_day_on_which_it_was_seen() -> None:
    """A month's budget is not charged for what came after its midnight, nor the other way round."""
    evening, morning = NOON + DAY_MS // 2 - 30_000, NOON + DAY_MS // 2 + 30_000
    meter, lines = follow(requests(), (evening, 10_000, MADE), (morning, 30_000, MADE))
    _, last = close(meter, morning + 1_000)

    days = [(line.day, line.used // COUNTED) for line in [*lines, *last]]
    assert days == [("2026-11-22", 10_000), ("2026-11-23", 20_000)]


def test_a_counter_has_no_rate_and_no_line_while_it_stands_still() -> None:
    """Requests of yesterday are no cost per hour, and a bucket that nobody asks is not looked at each minute."""
    meter, _ = follow(requests(), (NOON, 10_000, MADE), (NOON + POST_EVERY_MS, 10_000, MADE))

    assert rate_of([meter]) == 0
    assert next_line_at(meter, NOON + POST_EVERY_MS) == float("inf")
    assert unposted([meter], NOON + DAY_MS) == ()


STEPS = st.lists(
    st.tuples(
        st.integers(0, 3 * POST_EVERY_MS) | st.integers(0, 2 * DAY_MS),  # wait
        st.integers(0, 10**6),  # what is counted meanwhile
        st.sampled_from(("seen", "silent", "repeated", "killed", "late", "new bucket", "clock set")),
    ),
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(steps=STEPS, price=st.builds(Price, st.integers(0, 10**6), st.integers(1, 2**30), st.just(1)))
def test_the_lines_add_up_to_what_the_counter_showed(steps: list[tuple[int, int, str]], price: Price) -> None:
    """Whatever was lost, late, repeated or killed before a commit, and however often the bucket was made anew."""
    meter = Meter(requests().thing, "requests.read", "aws/s3-standard", price, NOON, id=1)
    lines, now, count, since, shown, before = list[Line](), NOON, 0, MADE, 0, 0
    history = [(0, MADE)]
    for wait, more, what in steps:
        now, count = now + wait, count + more
        if what == "new bucket":
            before, shown, count, since = before + shown, 0, more, max(now, since + 1)
        if what == "silent":
            continue
        if what == "clock set":
            meter, posted = clock_was_set(meter, now, now - 3_000)
            now, lines = now - 3_000, [*lines, *posted]
            continue
        readings = [(count, since)] * (2 if what == "repeated" else 1)
        if what == "late":
            readings = [history[len(history) // 2]]
        for reading in readings:
            after, posted = read(meter, Reading(*reading), now)
            if what != "killed":  # the transaction was rolled back: neither the state nor the lines are kept
                meter, lines = after, [*lines, *posted]
        if what not in ("killed", "late"):
            shown = count
            history.append((count, since))
    live = sum(line.signed_micros for line in unposted([meter], now + DAY_MS))
    posted_before = sum(line.signed_micros for line in lines)
    for _ in range(2):
        meter, posted = close(meter, now + 1)
        lines += posted

    total = before + shown
    assert counted(lines) == total
    assert sum(line.signed_micros for line in lines) == price.cost_micros(total * COUNTED) == posted_before + live
    assert all(line.debit.startswith("expense:") for line in lines)
    assert sum(balances(lines).values()) == 0
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert all(day_of(max(line.from_ms, line.to_ms) - 1) == line.day for line in lines)
