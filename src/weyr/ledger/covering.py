"""Who keeps what commitments pay for? Reads the journal, settles each hour once it is over, and again where use of it
is posted late: then by the difference.

Everything is done in the caller's transaction. Promises: idempotent; a call that was rolled back leaves nothing.
"""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection

from weyr.core.commitments import FEE, Coverage
from weyr.core.metering import Meter, Price
from weyr.core.ref import Ref
from weyr.core.schema import from_json, to_json
from weyr.ledger.commitments import (
    GRACE_MS,
    HOUR_MS,
    Covers,
    Key,
    Terms,
    Use,
    changed,
    covers_of,
    difference,
    hours_of,
    postings,
    standing,
)
from weyr.ledger.commitments import (
    at_rates as rated,
)
from weyr.store import commitments as kept
from weyr.store.commitments import HourUse, Version
from weyr.store.ledger import LedgerStore

HOURS_MAX = 48
"""So many hours are settled at once: after a long time away the rest is done at the next look, a minute later."""


def take_up(connection: Connection, terms: Terms) -> None:
    """Keeps what a commitment says from now on, where that is new."""
    stands = _standing(connection, terms.ref)
    if changed(terms, None if stands is None else _terms(stands)):
        if stands is not None:
            kept.end_version(connection, stands.id, terms.from_ms)
        kept.begin_version(connection, _version(terms))


def end(connection: Connection, ref: Ref, at_ms: int) -> None:
    """It says nothing any more since a moment: its term ended, or it was taken out of the file."""
    stands = _standing(connection, ref)
    if stands is not None:
        kept.end_version(connection, stands.id, max(at_ms, stands.from_ms))


def known(connection: Connection) -> tuple[Terms, ...]:
    """All that commitments said, oldest first."""
    return tuple(map(_terms, kept.versions(connection)))


def at_rates(connection: Connection, meters: tuple[Meter, ...]) -> tuple[Meter, ...]:
    """The meters with what commitments take off their rates. Where none is among them, nothing is asked for."""
    return rated(meters, known(connection)) if any(meter.sku == FEE for meter in meters) else meters


def settle(store: LedgerStore, connection: Connection, now_ms: int) -> None:
    """Posts what commitments pay for in hours that are over and were not settled, or not with all that was used.

    Once none stands any more, the hour that runs is settled with what is known: nobody will ask again.
    """
    versions = kept.versions(connection)
    is_last = all(version.until_ms is not None for version in versions)
    until_ms = -(-now_ms // HOUR_MS) * HOUR_MS if is_last else (now_ms - GRACE_MS) // HOUR_MS * HOUR_MS
    head, stands = store.head(connection).seq, kept.progress(connection)
    if stands is None:
        kept.set_progress(connection, head, until_ms)
        return
    seq, settled_ms = stands
    if until_ms <= settled_ms and not is_last:
        return
    until_ms = max(settled_ms, min(until_ms, settled_ms + HOURS_MAX * HOUR_MS))
    terms, fresh = [_terms(version) for version in versions], _read(connection, seq, head, now_ms)
    late = {hour_ms: _uses(connection, hour_ms) for hour_ms in {use.hour_ms for use in fresh} if hour_ms < settled_ms}
    kept.add_uses(connection, fresh)
    for hour_ms in sorted({*late, *range(settled_ms, until_ms, HOUR_MS)}):
        stood, uses = standing(terms, hour_ms), _uses(connection, hour_ms)
        before = covers_of(late.get(hour_ms, ()), stood, hour_ms)
        _post(store, connection, difference(before, covers_of(uses, stood, hour_ms)), uses, stood, hour_ms, now_ms)
    kept.set_progress(connection, head, until_ms)
    kept.drop_old(connection, now_ms)


def _read(connection: Connection, seq: int, head: int, now_ms: int) -> list[HourUse]:
    """What the lines since then count, by the hour. Of every book: one that is covered later is so at once."""
    sums: dict[tuple[int, int, str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for posted in kept.posted_since(connection, seq, head):
        for hour_ms, micros, used in hours_of(posted.from_ms, posted.to_ms, posted.micros, posted.used):
            if hour_ms >= now_ms - kept.KEPT_MS:
                each = sums[hour_ms, posted.account, posted.part, posted.sku, posted.book]
                each[0], each[1] = each[0] + micros, each[1] + used
                # A correction has the amount for its price: who counts by time knows what an hour costs.
                each[2] = each[2] if posted.is_entry else max(each[2], posted.meter)
    return [HourUse(*key, *each) for key, each in sums.items()]


def _uses(connection: Connection, hour_ms: int) -> tuple[Use, ...]:
    found = kept.uses_in(connection, hour_ms)
    return tuple(Use(Key(account, u.part, u.sku, u.book), u.micros, u.used, u.meter) for account, u in found)


def _post(
    store: LedgerStore,
    connection: Connection,
    covers: Covers,
    uses: Iterable[Use],
    terms: Iterable[Terms],
    hour_ms: int,
    now_ms: int,
) -> None:
    if not covers:
        return
    payers = {each.ref: each.account for each in terms}
    meters = {use.key: use.meter for use in uses if use.meter}
    known = {meter.id: meter.price for meter in store.meters_by_id(connection, sorted(set(meters.values())))}
    prices: dict[Key, Price] = {key: price for key, id in meters.items() if (price := known.get(id)) is not None}
    for counted in postings(covers, payers, prices, hour_ms, now_ms):
        store.add_posted(connection, counted.meter, counted.line)


def _standing(connection: Connection, ref: Ref) -> Version | None:
    return next((v for v in kept.versions(connection) if v.account.ref == ref and v.until_ms is None), None)


def _version(terms: Terms) -> Version:
    fee, covered = terms.fee_micros_per_hour, terms.covered_micros_per_hour
    return Version(terms.account, to_json(Coverage, terms.coverage), fee, covered, terms.from_ms, terms.until_ms)


def _terms(version: Version) -> Terms:
    coverage: Coverage = from_json(Coverage, version.coverage)
    fee, covered = version.fee_micros_per_hour, version.covered_micros_per_hour
    return Terms(coverage, fee, covered, version.account, version.from_ms, version.until_ms)
