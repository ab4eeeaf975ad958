"""Encrypted blobs open from any place, with their own key only, and never after a change."""

import random

import pytest

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.sealing import (
    FRAME_BYTES,
    HEAD_BYTES,
    TAG_BYTES,
    Sealer,
    WrongKey,
    new_key,
    opened_whole,
    unwrapped,
    wrapped,
)

SIZES = (0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 5 * FRAME_BYTES, 9 * FRAME_BYTES + 7)


@pytest.mark.parametrize("size", SIZES)
def test_any_range_opens(size: int) -> None:
    """However the bytes came in pieces, and wherever a reader begins: across frames, at their edges, in the last."""
    chance = random.Random(size)
    plain, key = chance.randbytes(size), new_key()
    sealer, rest, closed = Sealer(key), plain, b""
    while rest:
        count = chance.choice((1, 1000, FRAME_BYTES, 3 * FRAME_BYTES))
        closed += b"".join(sealer.feed(rest[:count]))
        rest = rest[count:]
    closed += b"".join(sealer.end())

    assert len(closed) == sealer.size == HEAD_BYTES + size + TAG_BYTES * -(-size // FRAME_BYTES)
    assert opened_whole(closed, key, 0, size) == plain
    edges = [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, size - 1, chance.randrange(size + 1)]
    for start in (edge for edge in edges if 0 <= edge < size):
        for count in (1, 2, FRAME_BYTES, size):
            assert opened_whole(closed, key, start, min(count, size - start)) == plain[start : start + count]


def test_what_was_changed_does_not_open() -> None:
    """Not with a bit turned, frames exchanged, an end cut off, or another object's key."""
    key, plain = new_key(), random.Random(1).randbytes(3 * FRAME_BYTES)
    closed = Sealer(key).whole(plain)
    frame = FRAME_BYTES + TAG_BYTES
    first, second = HEAD_BYTES, HEAD_BYTES + frame
    damages = {
        "a bit of the salt": closed[:10] + bytes([closed[10] ^ 1]) + closed[11:],
        "a bit of a frame": closed[:500] + bytes([closed[500] ^ 1]) + closed[501:],
        "frames exchanged": closed[:first] + closed[second : second + frame] + closed[first:second] + closed[-frame:],
        "the last frame gone": closed[:-frame],
        "half a frame gone": closed[: -frame // 2],
        "no head": closed[:5],
    }
    for damage, text in damages.items():
        with pytest.raises(S3Error, match="do not open"):
            pytest.fail(f"{damage}: {len(opened_whole(text, key, 0, len(plain)))} bytes came out")
    with pytest.raises(S3Error, match="do not open"):
        opened_whole(closed, new_key(), 0, len(plain))


def test_the_same_bytes_never_look_the_same() -> None:
    """Who sees the disk learns nothing from two objects that are alike, even under one key."""
    key = new_key()
    assert Sealer(key).whole(b"alike" * 100) != Sealer(key).whole(b"alike" * 100)


def test_a_key_opens_where_it_belongs() -> None:
    """A wrapped key that is moved to another object's row opens nothing."""
    key, inner = new_key(), new_key()
    text = wrapped(key, inner, "lake", "model")
    assert unwrapped(key, text, "lake", "model") == inner
    for wrong, place in ((key, ("lake", "other")), (new_key(), ("lake", "model"))):
        with pytest.raises(WrongKey):
            unwrapped(wrong, text, *place)
