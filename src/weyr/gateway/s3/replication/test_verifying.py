"""The etag of bytes as they pass is S3's, however they are cut on the way."""

import hashlib
from collections.abc import Iterator

import pytest

from weyr.gateway.s3.records import Meta
from weyr.gateway.s3.replication.target import Item, SourceDamaged
from weyr.gateway.s3.replication.verifying import EtagSum, etag_of_parts, verified

DATA = bytes(range(256)) * 40


def etag_of(data: bytes, parts: tuple[int, ...]) -> str:
    """As S3 says it: the MD5, or that of the parts' MD5s and how many they are."""
    if not parts:
        return hashlib.md5(data).hexdigest()
    digests, start = b"", 0
    for size in parts:
        digests, start = digests + hashlib.md5(data[start : start + size]).digest(), start + size
    return f"{hashlib.md5(digests).hexdigest()}-{len(parts)}"


@pytest.mark.parametrize("parts", [(), (10_240,), (5_000, 5_000, 240), (1, 10_239)], ids=str)
@pytest.mark.parametrize("piece", [1, 999, 5_000, 20_000])
def test_it_is_the_same_however_the_bytes_are_cut(parts: tuple[int, ...], piece: int) -> None:
    digest = EtagSum(parts)
    for start in range(0, len(DATA), piece):
        digest.update(DATA[start : start + piece])
    assert digest.etag() == etag_of(DATA, parts)


def test_parts_join_to_the_etag_of_the_whole() -> None:
    halves = [hashlib.md5(half).hexdigest() for half in (DATA[:5_120], DATA[5_120:])]
    assert etag_of_parts(halves) == etag_of(DATA, (5_120, 5_120))


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["nothing", "a byte", "more"])
def test_the_last_piece_stays_here_where_the_bytes_are_not_what_was_put(data: bytes) -> None:
    """So whoever writes what comes never has the whole of an object that has rotted."""

    def read(start: int, count: int) -> Iterator[bytes]:
        yield from (data[at : at + 1000] for at in range(start, start + count, 1000))

    def item(etag: str) -> Item:
        return Item("lake", "key", len(data), etag, "null", 0, Meta(), (), read, lambda: None)

    assert b"".join(verified(item(etag_of(data, ())))) == data
    came = []
    with pytest.raises(SourceDamaged):
        came += list(verified(item("0" * 32)))
    assert b"".join(came) != data or not data
