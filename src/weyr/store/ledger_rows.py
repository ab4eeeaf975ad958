"""How does a meter or a line lie in its table? Values to rows and back."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Row

from weyr.core.metering import Account, Labels, Line, Meter, Price, Reserved, Tier
from weyr.core.ref import Ref, ThingId

_NOT_COLUMNS = ("price", "thing", "labels", "id", "source", "reserved", "tallied", "covered_micros_per_hour")
_LINE_FIELDS = tuple(name for name in Line.__dataclass_fields__ if name not in ("thing", "seq"))


def labels_text(labels: Labels) -> str:
    """Labels as they lie in the store: JSON with its keys in order, so that the same ones are the same text."""
    return json.dumps(dict(sorted(labels)), separators=(",", ":"), ensure_ascii=False)


@lru_cache(4096)  # the same few texts come with every meter of a bill
def labels_of(text: str) -> Labels:
    found: dict[str, str] = {} if text == "{}" else json.loads(text)
    return tuple(found.items())


def key_of(ref: Ref) -> dict[str, str]:
    return {"stack": ref.stack, "kind": ref.kind, "name": ref.name}


def meter_row(meter: Meter) -> dict[str, Any]:
    fields = {name: getattr(meter, name) for name in Meter.__dataclass_fields__ if name not in _NOT_COLUMNS}
    price = meter.price
    return fields | {
        **key_of(meter.thing.ref),
        "part": meter.thing.part,
        "price_micros": price and price.micros,
        "price_per_quantity": price and price.per_quantity,
        "price_per_s": price and price.per_s,
        "price_tiers": _tiers_text(price) if price else "",
        "settled": str(meter.settled),
        "posted": str(meter.posted),
        "source": meter.source and meter.source.id,
        "reserved_micros": meter.reserved.micros,
        "reserved_ends": meter.reserved.ends,
    }


def meter_of(row: Sequence[Any]) -> Meter:
    """Takes a row of `meters` in the order of its columns, then its `labels`, and `source_*` of the account that it is
    a share of: taken apart at once, because a month has a meter for each attempt."""
    (id, stack, kind, name, part, sku, book, price_micros, price_per_quantity, price_per_s, price_tiers, opened_ms,
     quantity, run_since_ms, run_from_ms, until_ms, settled, posted, posted_micros, posted_until_ms, lines, counted,
     closed_ms, account, source, reserved_micros, reserved_ends, labels, *of_source) = row  # fmt: skip
    price = None
    if price_micros is not None:
        price = _price_of(price_micros, price_per_quantity, price_per_s, price_tiers)
    return Meter(
        thing=_thing_of(stack, kind, name, part),
        sku=sku,
        book=book,
        price=price,
        opened_ms=opened_ms,
        id=id,
        quantity=quantity,
        run_since_ms=run_since_ms,
        run_from_ms=run_from_ms,
        until_ms=until_ms,
        settled=int(settled),
        posted=int(posted),
        posted_micros=posted_micros,
        posted_until_ms=posted_until_ms,
        lines=lines,
        counted=counted,
        closed_ms=closed_ms,
        account=account,
        labels=labels_of(labels),
        source=None if source is None else _source_of(source, *of_source),
        reserved=Reserved(reserved_micros, bool(reserved_ends)) if reserved_micros or reserved_ends else _NOTHING,
    )


_NOTHING = Reserved()


def _source_of(id: int, stack: str, kind: str, name: str, labels: str) -> Account:
    return Account(Ref(stack, kind, name), labels_of(labels), id)


def _tiers_text(price: Price) -> str:
    """What makes a price a tiered one; nothing of a flat one."""
    if not price.is_tiered:
        return ""
    tiers = [[tier.above, tier.micros] for tier in price.tiers]
    return json.dumps({"free": price.free, "tally": price.tally, "tiers": tiers}, separators=(",", ":"))


@lru_cache(1024)
def _price_of(micros: int, per_quantity: int, per_s: int, tiers: str) -> Price:
    """Remembered: many meters have few prices, and every look at a budget reads them all."""
    return Price(micros, per_quantity, per_s, **_tiers_of(tiers))


@lru_cache(256)
def _tiers_of(text: str) -> dict[str, Any]:
    if not text:
        return {}
    fields: dict[str, Any] = json.loads(text)
    return fields | {"tiers": tuple(Tier(above, micros) for above, micros in fields["tiers"])}


def line_row(line: Line) -> dict[str, Any]:
    fields = {name: getattr(line, name) for name in _LINE_FIELDS}
    return fields | {**key_of(line.thing.ref), "part": line.thing.part, "used": str(line.used)}


def line_of(row: Row[Any] | Mapping[str, Any]) -> Line:
    fields = row._mapping if isinstance(row, Row) else row
    told = {name: fields[name] for name in _LINE_FIELDS} | {"used": int(fields["used"]), "seq": fields["seq"]}
    thing = _thing_of(fields["stack"], fields["kind"], fields["name"], fields["part"])
    return Line(thing=thing, **told)


@lru_cache(4096)
def _thing_of(stack: str, kind: str, name: str, part: str) -> ThingId:
    return ThingId(Ref(stack, kind, name), part)
