"""How are the facts of many things read at once? One query per table and few hundred owners, not one per owner."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Row, Select

T = TypeVar("T")

OWNERS_AT_ONCE = 500


def grouped(
    connection: Connection,
    query: Select[Any],
    owner: Column[Any],
    owners: Sequence[object],
    make: Callable[[Row[Any]], T],
) -> Callable[[object], tuple[T, ...]]:
    """Gives a function from an owner to what it has, in the query's order.

    Takes a query over the owned table; `owner` is its column that names the owner. The owners are
    asked for in portions, because a statement may hold a bounded number of values only.
    """
    found: dict[object, list[T]] = {}
    for start in range(0, len(owners), OWNERS_AT_ONCE):
        portion = query.where(owner.in_(owners[start : start + OWNERS_AT_ONCE]))
        index = None
        for row in connection.execute(portion):
            if index is None:
                index = row._fields.index(owner.name)
            found.setdefault(row[index], []).append(make(row))
    return lambda key: tuple(found.get(key, ()))
