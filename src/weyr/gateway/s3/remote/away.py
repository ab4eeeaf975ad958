"""How do the bytes of an object at a tier come back? Through the cache, and compared with their digests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from weyr.gateway.s3.blobs import pieces_of
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.remote import tiers
from weyr.gateway.s3.remote.blocks import ComingSlices, Outer, OuterBytes
from weyr.gateway.s3.remote.problems import RemoteAbsent, RemoteProblem
from weyr.gateway.s3.remote.refusals import silent
from weyr.gateway.s3.remote.tiers import PIECE_BYTES, Away
from weyr.gateway.s3.sealing import opened

if TYPE_CHECKING:
    from weyr.gateway.s3.call import Plane
    from weyr.gateway.s3.records import Stored
    from weyr.gateway.s3.remote.outside import Outside


def outer_of(outside: Outside, away: Away) -> Outer:
    """Raises: S3Error ServiceUnavailable where the tier is not known any more."""
    remote = outside.of_tier(away.tier)
    return Outer(remote, away.key, away.size, "", is_compared=False, piece_bytes=PIECE_BYTES, sums=away.digests)


async def put_body(plane: Plane, stored: Stored, key: bytes | None, response: Response, start: int, count: int) -> None:
    """As `reading.put_body`, of an object at a tier.

    Raises: FileNotFoundError where it was removed meanwhile; S3Error ServiceUnavailable where the tier is silent.
    """
    outers = await _outers(plane, stored)
    try:
        if key is None:
            slices = ComingSlices(plane.outside.blocks, outers, start, count)
            try:
                await slices.begin()
            except BaseException:
                slices.close()
                raise
            response.files, response.length = slices, count
            return
        pieces = _OpenedPieces(plane, _opened(plane, stored, outers, key, start, count))
        await pieces.begin()
        response.pieces, response.length = pieces, count
    except RemoteAbsent as e:
        if not await _are_there(plane, stored):
            raise FileNotFoundError("the object was removed meanwhile") from e
        raise silent(e) from e
    except RemoteProblem as e:
        raise silent(e) from e


@dataclass(frozen=True, slots=True)
class AwayBytes:
    """The bytes of an object at a tier, for a thread that takes them."""

    plane: Plane
    stored: Stored
    outers: list[Outer]

    def read(self, key: bytes | None, start: int, count: int) -> Iterator[bytes]:
        """The plain bytes of a range. Raises: S3Error, also while they are taken."""
        if key is not None:
            return _said(_opened(self.plane, self.stored, self.outers, key, start, count))
        return _said(_plain(self.plane, self.stored, self.outers, start, count))


async def bytes_of(plane: Plane, stored: Stored) -> AwayBytes:
    """Raises: FileNotFoundError where the object was removed meanwhile; S3Error where its tier is not known."""
    return AwayBytes(plane, stored, await _outers(plane, stored))


def _said(found: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from found
    except RemoteProblem as e:
        raise silent(e) from e


async def _outers(plane: Plane, stored: Stored) -> list[Outer]:
    numbers = [segment.blob for segment in stored.segments]
    found = await plane.index.aside(partial(tiers.away_of, numbers=numbers))
    if None in found:
        raise FileNotFoundError("the object was removed meanwhile")
    return [outer_of(plane.outside, away) for away in found if away is not None]


async def _are_there(plane: Plane, stored: Stored) -> bool:
    numbers = [segment.blob for segment in stored.segments]
    return None not in await plane.index.aside(partial(tiers.away_of, numbers=numbers))


def _ranges(stored: Stored, start: int, count: int) -> Iterator[tuple[int, int, int]]:
    """(which segment, offset in its plain bytes, count)."""
    return pieces_of([(number, segment.size) for number, segment in enumerate(stored.segments)], start, count)


def _plain(plane: Plane, stored: Stored, outers: list[Outer], start: int, count: int) -> Iterator[bytes]:
    for number, offset, taken in _ranges(stored, start, count):
        yield from OuterBytes(plane.outside.blocks, outers[number], plane.receiver.loop).pieces(offset, taken)


def _opened(plane: Plane, stored: Stored, outers: list[Outer], key: bytes, start: int, count: int) -> Iterator[bytes]:
    for number, offset, taken in _ranges(stored, start, count):
        closed = OuterBytes(plane.outside.blocks, outers[number], plane.receiver.loop)
        yield from opened(closed.read, key, offset, taken)


class _OpenedPieces:
    """The plain bytes of what is encrypted, each piece fetched and opened in a thread when it is asked for."""

    def __init__(self, plane: Plane, found: Iterator[bytes]) -> None:
        self._pool = plane.receiver.pool
        self._found = found
        self._first = b""

    async def begin(self) -> None:
        self._first = await self._taken()

    async def next(self) -> bytes:
        first, self._first = self._first, b""
        if first:
            return first
        try:
            return await self._taken()
        except (RemoteProblem, S3Error) as e:
            raise ConnectionResetError(f"the rest did not come: {e}") from e

    def close(self) -> None:
        """Nothing is held."""

    async def _taken(self) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._pool, next, self._found, b"")
