"""What fills a bucket? Counts and sums over its rows as they pass, in memory that does not grow with their number."""

import heapq
from dataclasses import dataclass, field

KIB, MIB, GIB, DAY_S = 2**10, 2**20, 2**30, 86_400
AGES = (("1d", DAY_S), ("7d", 7 * DAY_S), ("30d", 30 * DAY_S), ("90d", 90 * DAY_S), ("365d", 365 * DAY_S))
SIZES = (("16 KiB", 16 * KIB), ("1 MiB", MIB), ("64 MiB", 64 * MIB), ("1 GiB", GIB))
PREFIXES_MAX = 20_000
"""Beyond these, what has a prefix of its own counts as "(others)"."""
OTHERS = "(others)"
LARGEST_MAX = 10
TWIN_BYTES_MIN = 64 * KIB
"""Smaller ones are not looked for: that two are the same saves nothing worth a line."""
TWINS_MAX = 2_000_000


@dataclass(slots=True)
class Sum:
    """How many, and how large together."""

    count: int = 0
    size_bytes: int = 0

    def add(self, size: int) -> None:
        self.count += 1
        self.size_bytes += size


@dataclass(slots=True)
class Filling:
    """A bucket's contents. `by_age` and `by_size` are named by their upper ends; the last has none."""

    depth: int = 1
    current: Sum = field(default_factory=Sum)
    versions: Sum = field(default_factory=Sum)
    markers: int = 0
    uploads: Sum = field(default_factory=Sum)
    twins: Sum = field(default_factory=Sum)
    """Objects beyond the first with the same bytes: S3 bills each of them, though copies share theirs here."""
    by_prefix: dict[str, Sum] = field(default_factory=dict)
    by_age: dict[str, Sum] = field(default_factory=dict)
    by_size: dict[str, Sum] = field(default_factory=dict)
    largest: list[tuple[int, str]] = field(default_factory=list)
    _etags: set[tuple[str, int]] = field(default_factory=set)

    def object(self, key: str, size: int, etag: str, age_s: float) -> None:
        """Takes a current object."""
        self.current.add(size)
        self._under(key).add(size)
        _of(self.by_age, AGES, age_s).add(size)
        _of(self.by_size, SIZES, size).add(size)
        if len(self.largest) < LARGEST_MAX or size > self.largest[0][0]:
            push = heapq.heappush if len(self.largest) < LARGEST_MAX else heapq.heappushpop
            push(self.largest, (size, key))
        if size >= TWIN_BYTES_MIN:
            if (etag, size) in self._etags:
                self.twins.add(size)
            elif len(self._etags) < TWINS_MAX:
                self._etags.add((etag, size))

    def version(self, key: str, size: int) -> None:
        """Takes a version that another took the place of."""
        self.versions.add(size)
        self._under(key).add(size)

    def upload(self, key: str, size: int) -> None:
        """Takes an upload that is not finished, with what has come of it."""
        self.uploads.add(size)
        self._under(key).add(size)

    def _under(self, key: str) -> Sum:
        end = -1
        for _ in range(self.depth):
            following = key.find("/", end + 1)
            if following < 0:
                break
            end = following
        prefix = key[: end + 1]
        if prefix not in self.by_prefix and len(self.by_prefix) >= PREFIXES_MAX:
            prefix = OTHERS
        return self.by_prefix.setdefault(prefix, Sum())


def _of(sums: dict[str, Sum], classes: tuple[tuple[str, int], ...], value: float) -> Sum:
    name = next((name for name, end in classes if value < end), "more")
    return sums.setdefault(name, Sum())
