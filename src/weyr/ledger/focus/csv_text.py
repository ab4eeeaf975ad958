"""How is a bill written as CSV? A heading, then a line for each row; what is unknown is empty."""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice

from weyr.ledger.focus.columns import Column
from weyr.ledger.focus.rows import Row

ROWS_AT_ONCE = 500


def csv_pieces(columns: Iterable[Column], rows: Iterable[Row]) -> Iterator[str]:
    """The text in pieces of whole lines, as the rows come."""
    names = [column.name for column in columns]
    yield _text([names])
    left = iter(rows)
    while some := list(islice(left, ROWS_AT_ONCE)):
        yield _text([[row.get(name) or "" for name in names] for row in some])


def _text(rows: Iterable[list[str]]) -> str:
    target = io.StringIO()
    csv.writer(target, lineterminator="\n").writerows(rows)
    return target.getvalue()
