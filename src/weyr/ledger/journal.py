"""Which lines does a meter owe the journal? Double entry, whole micro-units, cut at each UTC day.

Amounts are taken from the meter's whole use and what was posted before is subtracted, so rounding
never accumulates: the lines of a meter add up to its use times its price, rounded down once. Of a tiered price it is
all that is counted together whose lines add up so, in each UTC month.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from weyr.core.metering import Line, Meter
from weyr.core.units import DAY_S

DAY_MS = DAY_S * 1000
MONTH = len("2026-11")


def post(meter: Meter, to_ms: int, is_last: bool) -> tuple[Meter, tuple[Line, ...]]:
    """Posts what was used up to `to_ms`, earlier than what was posted or later.

    `is_last`: leave nothing over, even where it is worth less than a micro-unit; otherwise such a
    rest waits until it is worth one; of a tiered price until midnight at most, because what is free today counts for
    this month. A meter without a price posts nothing: its use is kept in it.
    """
    if meter.price is None or meter.run_since_ms is None:
        return meter, ()
    lines: list[Line] = []
    cuts = tuple(_cuts(meter.posted_until_ms, to_ms))
    for index, cut_ms in enumerate(cuts, start=1):
        line = _line(meter, cut_ms)
        is_kept = (is_last and index == len(cuts)) or (meter.price.is_tiered and cut_ms % DAY_MS == 0)
        if line.micros or (line.used and is_kept):
            lines.append(line)
            meter = _posted(meter, line)
    return meter, tuple(lines)


def used_at(meter: Meter, at_ms: int) -> int:
    """Quantity x milliseconds up to a moment, as if it ran until then whatever its recorded end."""
    return meter.settled + meter.quantity * max(0, at_ms - meter.run_from_ms)


def owed_to(meter: Meter) -> str:
    """The account that a meter's use is paid from: the book's, or what it is a share of."""
    return f"payable:{meter.book}" if meter.source is None else f"expense:{meter.source.ref.absolute}"


def balances(lines: Iterable[Line]) -> Mapping[str, int]:
    """What each account holds: debits less credits. Over all accounts they come to nothing."""
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.debit] = sums.get(line.debit, 0) + line.micros
        sums[line.credit] = sums.get(line.credit, 0) - line.micros
    return sums


def day_of(ms: int) -> str:
    """The UTC day of a moment, such as `2026-11-22`."""
    return datetime.fromtimestamp(ms // 1000, UTC).date().isoformat()


def _line(meter: Meter, to_ms: int) -> Line:
    assert meter.price is not None
    used = used_at(meter, to_ms)
    day = day_of(max(meter.posted_until_ms, to_ms, 1) - 1)
    if meter.price.is_tiered:
        micros = meter.price.cost_micros(used - meter.posted, tallied_in(meter, day))
    else:
        micros = meter.price.cost_micros(used) - meter.posted_micros
    expense, payable = f"expense:{meter.thing.ref.absolute}", owed_to(meter)
    return Line(
        meter=meter.id,
        number=meter.lines + 1,
        thing=meter.thing,
        sku=meter.sku,
        from_ms=meter.posted_until_ms,
        to_ms=to_ms,
        used=used - meter.posted,
        micros=abs(micros),
        debit=expense if micros >= 0 else payable,
        credit=payable if micros >= 0 else expense,
        day=day,
    )


def _posted(meter: Meter, line: Line) -> Meter:
    assert meter.price is not None
    tallied = meter.tallied
    if meter.price.is_tiered:
        month = line.day[:MONTH]
        tallied = tuple(sorted({**dict(tallied), month: tallied_in(meter, line.day) + line.used}.items()))
    return replace(
        meter,
        posted=meter.posted + line.used,
        posted_micros=meter.posted_micros + line.signed_micros,
        posted_until_ms=line.to_ms,
        lines=line.number,
        tallied=tallied,
    )


def tallied_in(meter: Meter, day: str) -> int:
    """What was used before of what the meter is counted together with, in the month of a day."""
    return dict(meter.tallied).get(day[:MONTH], 0)


def _cuts(from_ms: int, to_ms: int) -> Iterator[int]:
    """The midnights strictly between two moments, in the order of travel, and then the second moment."""
    if to_ms > from_ms:
        yield from range((from_ms // DAY_MS + 1) * DAY_MS, to_ms, DAY_MS)
    elif to_ms < from_ms:
        yield from range((from_ms - 1) // DAY_MS * DAY_MS, to_ms, -DAY_MS)
    yield to_ms
