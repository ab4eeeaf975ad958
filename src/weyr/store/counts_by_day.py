"""How is kept what was counted, day by day? One row for each account, day and SKU, beside the meter that counted.

It is written in the transaction that keeps the meter's highest reading, so that nothing is in it twice. What costs
nothing posts no lines: without this nobody could say what a thousand answers cost in a month.
"""

from sqlalchemy import Connection, func, select

from weyr.core.metering import Account
from weyr.core.ref import Ref
from weyr.store.dialects import upsert
from weyr.store.ledger_rows import labels_of
from weyr.store.tables.counts_by_day import counts_by_day
from weyr.store.tables.ledger import accounts

Counts = dict[str, int]
"""How many of each SKU."""


def add(connection: Connection, account: int, day: str, sku: str, count: int) -> None:
    """So many more were counted."""
    connection.execute(_ADD, {"account": account, "day": day, "sku": sku, "count": count})


def counts(connection: Connection, stack: str | None, from_day: str, to_day: str) -> dict[Account, Counts]:
    """What was counted of each account's things, from a day up to and with another."""
    keys = [counts_by_day.c.sku, *(accounts.c[name] for name in ("id", "stack", "kind", "name", "labels"))]
    query = select(*keys, func.sum(counts_by_day.c.count).label("count")).join_from(counts_by_day, accounts)
    query = query.where(counts_by_day.c.day >= from_day, counts_by_day.c.day <= to_day).group_by(*keys)
    if stack is not None:
        query = query.where(accounts.c.stack == stack)
    found: dict[Account, Counts] = {}
    for row in connection.execute(query):
        account = Account(Ref(row.stack, row.kind, row.name), labels_of(row.labels), row.id)
        found.setdefault(account, {})[row.sku] = int(row._mapping["count"])
    return found


_INSERT = upsert(counts_by_day)
_ADD = _INSERT.on_conflict_do_update(
    index_elements=["account", "day", "sku"], set_={"count": counts_by_day.c.count + _INSERT.excluded["count"]}
)
