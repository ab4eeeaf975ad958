"""What is told of objects outside, and in which pieces they travel."""

from collections.abc import Mapping
from dataclasses import dataclass, field

PART_BYTES = 8 * 2**20
PARTS_AT_ONCE = 4
PARTS_MAX = 10_000
ONE_PUT_MAX = 64 * 2**20
LIST_PAGE = 1000
CONTENT = ("Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language", "Cache-Control")


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """An object outside, as a list or a HEAD tells of it. `etag` is without quotes."""

    key: str
    size: int
    etag: str
    modified_ms: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Content headers by their own names, user metadata by their keys; a list has none."""


@dataclass(frozen=True, slots=True)
class RemotePage:
    """Objects and common prefixes together in order of their keys, and whether there are more."""

    items: tuple[RemoteObject | str, ...]
    is_truncated: bool
