"""Are the bytes that leave those that were put? Their MD5 against the object's etag, before the last of them goes."""

import hashlib
from collections.abc import Iterator, Sequence

from weyr.gateway.s3.replication.target import Item, SourceDamaged

DAMAGED = "The bytes on this side are not what was put: they were damaged."


class EtagSum:
    """The etag of bytes as they pass, cut into parts of these sizes where it is that of an upload in parts."""

    def __init__(self, parts: tuple[int, ...]) -> None:
        self._sizes = list(reversed(parts))
        self._count = len(parts)
        self._digests = b""
        self._part = hashlib.md5(usedforsecurity=False)
        self._room = self._sizes.pop() if self._sizes else -1

    def update(self, data: bytes) -> None:
        view = memoryview(data)
        while self._room >= 0 and len(view) >= self._room:
            self._part.update(view[: self._room])
            view = view[self._room :]
            self._digests += self._part.digest()
            self._part = hashlib.md5(usedforsecurity=False)
            self._room = self._sizes.pop() if self._sizes else -1
            if not view:
                return
        self._part.update(view)
        self._room -= len(view) if self._room > 0 else 0

    def etag(self) -> str:
        return _joined(self._digests, self._count) if self._count else self._part.hexdigest()


def etag_of_parts(etags: Sequence[str]) -> str:
    """The etag of an upload in parts with these."""
    return _joined(b"".join(map(bytes.fromhex, etags)), len(etags))


def _joined(digests: bytes, count: int) -> str:
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{count}"


def verified(item: Item) -> Iterator[bytes]:
    """All of an object's bytes; the last piece only where they are what was put. Raises: SourceDamaged."""
    digest = EtagSum(item.parts)
    last = b""
    for piece in item.read(0, item.size):
        digest.update(piece)
        if last:
            yield last
        last = piece
    if digest.etag() != item.etag:
        raise SourceDamaged(DAMAGED)
    if last:
        yield last
