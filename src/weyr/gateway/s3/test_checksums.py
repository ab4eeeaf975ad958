"""Checksums as S3 and its clients compute them."""

import random

import pytest

from weyr.gateway.s3.checksums import Algorithm, ChecksumType, joined, new, text_of

CHECKS = {
    # The check values of the catalogue of parametrised CRC algorithms, for the bytes "123456789".
    Algorithm.CRC32: 0xCBF43926,
    Algorithm.CRC32C: 0xE3069283,
    Algorithm.CRC64NVME: 0xAE8B14860A799888,
}


def of(algorithm: Algorithm, *pieces: bytes | memoryview) -> bytes:
    digest = new(algorithm)
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


@pytest.mark.parametrize("algorithm", CHECKS)
def test_a_crc_is_the_one_that_clients_compute(algorithm: Algorithm) -> None:
    """Another polynomial of the same width would refuse every upload."""
    assert int.from_bytes(of(algorithm, b"123456789"), "big") == CHECKS[algorithm]
    assert of(algorithm, b"1234", b"", memoryview(b"56789")) == of(algorithm, b"123456789")


@pytest.mark.parametrize("algorithm", CHECKS)
def test_parts_join_to_the_whole(algorithm: Algorithm) -> None:
    """A multipart upload's checksum is known without reading the object again."""
    chance = random.Random(7)
    for sizes in ([1], [5, 0, 3], [1 << 20, 1, 70_000], [chance.randrange(5000) for _ in range(20)]):
        pieces = [chance.randbytes(size) for size in sizes]
        parts = [(text_of(of(algorithm, piece)), len(piece)) for piece in pieces]
        assert joined(algorithm, ChecksumType.FULL_OBJECT, parts) == text_of(of(algorithm, *pieces))
