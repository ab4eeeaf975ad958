"""Are a version's files those that were registered? Told from one short text, its seal, made from a listing. Pure.

A seal is the SHA-256 of the listing (names, sizes, entity tags) and, for up to `NAMED_MAX` files, six digits of each
file, which say which one changed. The names themselves would not fit into a program's arguments.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

NAMED_MAX = 256
_DIGITS = 6


@dataclass(frozen=True, slots=True, order=True)
class ListedFile:
    """One file below a place: `name` is its path from there, `etag` what the store says of its content."""

    name: str
    size: int
    etag: str


def seal_of(files: Iterable[ListedFile]) -> str:
    """`<64 digits>.<6 digits of each file, by name>`; without the second part where there are too many."""
    ordered = sorted(files)
    whole = _digest([[file.name, file.size, file.etag] for file in ordered])
    return f"{whole}.{''.join(map(_mark, ordered))}" if len(ordered) <= NAMED_MAX else whole


def changed_since(seal: str, files: Iterable[ListedFile]) -> str:
    """What is not as it was sealed, in words; "" where all is."""
    now = sorted(files)
    if seal_of(now) == seal:
        return ""
    marks = seal.partition(".")[2]
    if not marks:
        return "its files changed"
    known = {marks[start : start + _DIGITS] for start in range(0, len(marks), _DIGITS)}
    others = [file.name for file in now if _mark(file) not in known]
    gone = len(marks) // _DIGITS - len(now)
    told = [f"{', '.join(others[:5])}{' and others' if len(others) > 5 else ''} changed"] if others else []
    told += [f"{gone} {'file is' if gone == 1 else 'files are'} gone"] if gone > 0 else []
    return " and ".join(told) or "its files changed"


def _mark(file: ListedFile) -> str:
    return _digest([file.name, file.size, file.etag])[:_DIGITS]


def _digest(plain: object) -> str:
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()
