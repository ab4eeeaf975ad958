"""How is a journal sealed? Each line's hash is of the line and of the hash before it. Pure.

Who changes, removes or slips in a line has to make every hash after it anew, and then the last of them is another one
than was written down elsewhere: in a closed period, in somebody's mail.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

FIRST = bytes(32)
"""What the first line is chained to."""

SEALED = (
    "seq", "meter", "number", "stack", "kind", "name", "part", "sku", "from_ms", "to_ms", "used", "micros", "debit",
    "credit", "day", "entry", "note", "who",
)  # fmt: skip
"""The columns that a hash is of, in this order for good."""


_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def seal(previous: bytes, row: Mapping[str, Any]) -> bytes:
    """The hash of a line after the hash before it."""
    return seal_of(previous, _ENCODE([row[name] for name in SEALED]))


def seal_of(previous: bytes, text: str) -> bytes:
    """The same of a line that is told as it is sealed: its values as a list in JSON."""
    return sha256(previous + text.encode()).digest()


def sealed(rows: Iterable[dict[str, Any]], seq: int, previous: bytes) -> Iterator[dict[str, Any]]:
    """Gives the rows their places after `seq` and their hashes."""
    for row in rows:
        seq += 1
        row = {**row, "seq": seq}
        previous = seal(previous, row)
        yield {**row, "hash": previous}
