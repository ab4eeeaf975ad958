"""Who carries? A few threads that take pieces as they become free, and stop together when one fails."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from weyr.transfer.client import S3Client
from weyr.transfer.tally import Tally

A = TypeVar("A")
B = TypeVar("B")

PART_BYTES = 16 * 1024 * 1024
"""The smallest part, and up to where an object goes in one request. A part that was cut is what is sent again."""
PARTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Crew:
    """What every transfer works with: whom to ask, where its journal lies, who carries, and what is counted."""

    client: S3Client
    journals: Path
    tally: Tally
    pool: ThreadPoolExecutor
    hands: int

    def each(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """The results in order. Not many more items are taken than there are hands, however many there are.

        Raises: the first error of `work`, after which nothing new is begun.
        """
        waiting: deque[Future[B]] = deque()
        try:
            for item in items:
                waiting.append(self.pool.submit(work, item))
                if len(waiting) >= 4 * self.hands:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def part_bytes_of(size: int) -> int:
    """How large the parts of an object are: whole MiB, and not more than S3 allows of them."""
    least = -(-size // PARTS_MAX)
    return max(PART_BYTES, -(-least // 2**20) * 2**20)


def spans_of(size: int, part_bytes: int) -> list[tuple[int, int, int]]:
    """(number from 1, offset, size) of each part."""
    return [
        (number, offset, min(part_bytes, size - offset)) for number, offset in enumerate(range(0, size, part_bytes), 1)
    ]
