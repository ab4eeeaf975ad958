"""How do the bytes of an object stay readable while they are sent? It may be removed meanwhile, by another process.

A file that is open can be read whatever happens to its name, so that an answer opens all it will need. Where these are
too many, the process that removes blobs is asked to leave them.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.index import AnyIndex

OPEN_MAX = 32
ROWS_MAX = 500


class Kept:
    """Blobs that can be read until `close`, with their digests. To be made by `keep`."""

    def __init__(self, store: BlobStore, index: AnyIndex) -> None:
        self.digests: dict[int, bytes] = {}
        self._store = store
        self._index = index
        self._files: dict[int, int] = {}
        self._pinned: list[int] = []

    async def keep(self, blobs: list[int]) -> None:
        """Raises: FileNotFoundError where one of them was removed meanwhile; the caller looks for the object again."""
        if len(blobs) > OPEN_MAX:
            await self._index.pin(blobs)
            self._pinned = blobs
        else:
            for blob in dict.fromkeys(blobs):
                with suppress(FileNotFoundError):
                    self._files[blob] = self._store.open(blob)
        # A file goes after the commit that removes its row: what has a row now was there when it was opened or pinned.
        for first in range(0, len(blobs), ROWS_MAX):
            some = blobs[first : first + ROWS_MAX]
            marks = ",".join("?" * len(some))
            self.digests |= dict(self._index.all(f"SELECT id, digests FROM blobs WHERE id IN ({marks})", *some))
        if len(self.digests) < len(set(blobs)):
            self.close()
            raise FileNotFoundError("the object was removed meanwhile")

    def open(self, blob: int) -> int:
        """A descriptor to read one with, which the caller closes. Raises: FileNotFoundError where the file is lost."""
        file = self._files.get(blob)
        return self._store.open(blob) if file is None else os.dup(file)

    def renew(self, blob: int) -> None:
        """To be called once a damaged one has been mended: its bytes are in another file now."""
        file = self._files.pop(blob, None)
        if file is not None:
            os.close(file)

    def close(self) -> None:
        """Lets them go. Safe to call twice."""
        files, self._files = self._files, {}
        for file in files.values():
            os.close(file)
        pinned, self._pinned = self._pinned, []
        if pinned:
            self._index.unpin(pinned)


class BlobSlices:
    """Pieces of kept blobs, (blob, offset, count), as (descriptor, offset, count): each file is open for its turn."""

    def __init__(self, kept: Kept, pieces: Iterable[tuple[int, int, int]]) -> None:
        self.blob = 0
        """Whose piece was given last."""
        self._kept = kept
        self._pieces = iter(pieces)
        self._descriptor = -1

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return self

    def __next__(self) -> tuple[int, int, int]:
        self.close_file()
        self.blob, offset, count = next(self._pieces)
        self._descriptor = self._kept.open(self.blob)
        return self._descriptor, offset, count

    def close(self) -> None:
        """Lets the files go. Safe to call twice."""
        self.close_file()
        self._kept.close()

    def close_file(self) -> None:
        """Lets go of the file whose turn it is; the others stay kept."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
