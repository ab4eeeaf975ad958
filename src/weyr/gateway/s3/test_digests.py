"""The digests of blobs: the same whatever the pieces, and different for whatever turns."""

import os
from pathlib import Path

import pytest

from weyr.gateway.s3.digests import (
    CHUNK_BYTES,
    DIGEST_BYTES,
    Digests,
    Rotten,
    check_file,
    digests_length,
    digests_of,
    read_checked,
)

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 77]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("step", [1000, 65_536, CHUNK_BYTES, 3 * CHUNK_BYTES])
def test_pieces_do_not_matter(size: int, step: int) -> None:
    """A body arrives in pieces of any length."""
    data = os.urandom(size)
    digests = Digests()
    for start in range(0, size, step):
        digests.feed(memoryview(data)[start : start + step])

    assert digests.done() == digests_of(data)
    assert len(digests_of(data)) == digests_length(size)


def test_the_form_on_disk_is_that_of_the_page() -> None:
    """CRC-64/NVME of each mebibyte, big-endian: the check value of the catalogue of CRCs."""
    assert digests_of(b"123456789").hex() == "ae8b14860a799888"
    whole = b"a" * CHUNK_BYTES
    assert digests_of(whole + b"123456789")[DIGEST_BYTES:].hex() == "ae8b14860a799888"


@pytest.mark.parametrize("size", [1, CHUNK_BYTES, 2 * CHUNK_BYTES + 77])
def test_ranges_are_compared_chunk_by_chunk(tmp_path: Path, size: int) -> None:
    """A range needs the chunks that it touches, and no others."""
    data = bytearray(os.urandom(size))
    digests, file = digests_of(bytes(data)), tmp_path / "blob"
    file.write_bytes(data)
    with file.open("rb") as blob:
        check_file(blob.fileno(), 1, digests, 0, size)
        for start, count in ((0, size), (size - 1, 1), (size // 2, size // 3)):
            pieces = read_checked(blob.fileno(), 1, digests, start, count)
            assert b"".join(pieces) == data[start : start + count]
        data[size - 1] ^= 1
        file.write_bytes(data)
        with pytest.raises(Rotten):
            check_file(blob.fileno(), 1, digests, 0, size)
        if size > CHUNK_BYTES:
            assert b"".join(read_checked(blob.fileno(), 1, digests, 5, 100)) == data[5:105]
