"""Are the bytes those that were sent? CRC32 of what leaves and of what comes, and what else a server tells.

A server that says no checksum of the whole object leaves its etag, which is the MD5 of the bytes where nothing
encrypted them, and that of the MD5s of its parts where it was uploaded in parts.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from weyr.gateway.s3.checksums import Algorithm, ChecksumType, Digest, joined, new, text_of
from weyr.transfer.client import PIECE_BYTES, opened

_MD5 = re.compile(r"([0-9a-f]{32})(?:-([0-9]{1,5}))?")
_BEST_FIRST = (Algorithm.CRC64NVME, Algorithm.CRC32C, Algorithm.CRC32, Algorithm.SHA256, Algorithm.SHA1)
JOINABLE = frozenset({Algorithm.CRC32, Algorithm.CRC32C, Algorithm.CRC64NVME})


def pieces(path: Path, offset: int, size: int) -> Iterator[bytes]:
    """A file's bytes, a little at a time. Raises: LocalTrouble."""
    with opened(path) as file:
        file.seek(offset)
        while size and (piece := file.read(min(PIECE_BYTES, size))):
            size -= len(piece)
            yield piece


def crc_of(path: Path, offset: int, size: int) -> str:
    """The CRC32 of a part of a file, as S3 writes it."""
    return digest_of(path, Algorithm.CRC32, offset, size)


def crc_of_bytes(data: bytes) -> str:
    digest = new(Algorithm.CRC32)
    digest.update(data)
    return text_of(digest.digest())


def joined_crc(parts: Iterable[tuple[str, int]]) -> str:
    """The CRC32 of a whole from its parts' (CRC32, size), in order."""
    return joined(Algorithm.CRC32, ChecksumType.FULL_OBJECT, parts)


def digest_of(path: Path, algorithm: Algorithm, offset: int, size: int) -> str:
    """A part's checksum as S3 writes it."""
    digest: Digest = new(algorithm)
    for piece in pieces(path, offset, size):
        digest.update(piece)
    return text_of(digest.digest())


def md5_of(path: Path, offset: int, size: int) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces(path, offset, size):
        digest.update(piece)
    return digest.digest()


def promised(headers: Mapping[str, str]) -> tuple[Algorithm, str] | None:
    """The checksum of the whole object that an answer names, None where it names none."""
    if headers.get("x-amz-checksum-type", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    for algorithm in _BEST_FIRST:
        text = headers.get(algorithm.header, "")
        if text and "-" not in text and _is_base64(text):
            return algorithm, text
    return None


def md5_promised(etag: str, headers: Mapping[str, str]) -> tuple[str, int] | None:
    """(MD5, parts) that an etag stands for, None where it stands for nothing that can be computed here."""
    found = _MD5.fullmatch(etag)
    mode = headers.get("x-amz-server-side-encryption", "")
    if not found or mode.startswith("aws:") or "x-amz-server-side-encryption-customer-algorithm" in headers:
        return None
    return found[1], int(found[2] or 0)


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False
