"""How does an object get into a file? Into `.NAME.weyr-part` beside it, whole or by ranges; its name comes at the end.

A file that is there under its name is always whole: it is renamed once every byte is there and was compared with
what the server says of the object.
"""

import hashlib
import os
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO

from weyr.gateway.s3.checksums import Algorithm, ChecksumType, joined, new, text_of
from weyr.transfer import calls
from weyr.transfer.address import Remote
from weyr.transfer.calls import Found, found_in
from weyr.transfer.checking import JOINABLE, digest_of, md5_of, md5_promised, promised
from weyr.transfer.client import PIECE_BYTES, Ask, LocalTrouble, S3Refused
from weyr.transfer.crew import PART_BYTES, Crew, part_bytes_of, spans_of
from weyr.transfer.journal import Journal
from weyr.transfer.upload import Differs

_ASKED = {"x-amz-checksum-mode": "ENABLED"}


def download(crew: Crew, source: Remote, found: Found, target: Path) -> bool:
    """Fetches an object that a list or a HEAD found. Gives whether its bytes were compared with the server's word.

    Raises: S3Refused (PreconditionFailed where it is another by now), Unreachable, LocalTrouble.
    """
    part = target.with_name(f".{target.name}.weyr-part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise LocalTrouble(f"{target.parent} cannot be made: {e.strerror}") from e
    if found.size <= PART_BYTES:
        is_verified = _whole(crew, source, found, part)
        _named(part, target, found)
        return is_verified
    with Journal(crew.journals, crew.client.endpoint, str(source), str(target.absolute())) as journal:
        is_verified = _by_ranges(crew, source, part, journal)
        _named(part, target, found)
        journal.end()
    return is_verified


def download_stream(crew: Crew, source: Remote, stream: BinaryIO) -> bool:
    """Writes an object to a stream, in order. Gives as `download`; an error leaves the stream with less."""
    found, headers = calls.head(crew.client, source.bucket, source.key)
    crew.tally.expect(found.size)
    known = promised(headers)
    digest = new(known[0]) if known else None
    asked = _match(found)
    for _, offset, size in spans_of(found.size, PART_BYTES):
        piece = crew.client.ask(Ask("GET", source.bucket, source.key, headers={**asked, **_range(offset, size)})).body
        crew.tally.received(len(piece))
        crew.tally.passed(len(piece))
        if digest is not None:
            digest.update(piece)
        stream.write(piece)
    stream.flush()
    if known and digest and text_of(digest.digest()) != known[1]:
        raise Differs(f"{source} has the {known[0].value} {known[1]} at the server, and not what came")
    return known is not None


def _whole(crew: Crew, source: Remote, found: Found, part: Path) -> bool:
    verdicts: list[bool] = []

    def take(headers: Mapping[str, str], response: HTTPResponse) -> None:
        known = promised(headers)
        algorithm = known[0] if known else Algorithm.CRC32
        descriptor = _opened(part, truncate=True)
        try:
            value = _received(crew, response, descriptor, 0, found_in(source.key, headers).size, algorithm)
        finally:
            os.close(descriptor)
        if known:
            _hold(source, known, value)
        verdicts.append(known is not None or _etag_holds(crew, source, found, headers, part))

    crew.client.ask(Ask("GET", source.bucket, source.key, headers={**_ASKED, **_match(found)}), take)
    crew.tally.passed(found.size)
    return verdicts[-1]


def _by_ranges(crew: Crew, source: Remote, part: Path, journal: Journal) -> bool:
    found, headers = calls.head(crew.client, source.bucket, source.key)
    known = promised(headers)
    algorithm = known[0] if known and known[0] in JOINABLE else Algorithm.CRC32
    head, there = journal.read()
    is_now = {"etag": found.etag, "size": found.size, "part_bytes": part_bytes_of(found.size)}
    if dict(head) != is_now or not part.exists():
        there = set()
        journal.begin(is_now)
    descriptor = _opened(part, truncate=not there)

    def carry(span: tuple[int, int, int]) -> tuple[str, int]:
        number, offset, size = span
        if number in there:
            # Read again, because a machine that lost its power may have lost what it had not written yet.
            crew.tally.passed(size, is_kept=True)
            return digest_of(part, algorithm, offset, size), size
        value = _range_received(crew, source, found, descriptor, offset, size, algorithm)
        journal.done(number)
        crew.tally.passed(size)
        return value, size

    try:
        values = list(crew.each(carry, spans_of(found.size, part_bytes_of(found.size))))
    finally:
        os.close(descriptor)
    try:
        return _verified(crew, source, found, headers, part, values, algorithm)
    except Differs:
        journal.end()  # the next try begins anew
        raise


def _verified(
    crew: Crew,
    source: Remote,
    found: Found,
    headers: Mapping[str, str],
    part: Path,
    values: list[tuple[str, int]],
    algorithm: Algorithm,
) -> bool:
    known = promised(headers)
    if known is None:
        return _etag_holds(crew, source, found, headers, part)
    if known[0] in JOINABLE:
        _hold(source, known, joined(algorithm, ChecksumType.FULL_OBJECT, values))
    else:
        _hold(source, known, digest_of(part, known[0], 0, found.size))
    return True


def _range_received(
    crew: Crew, source: Remote, found: Found, descriptor: int, offset: int, size: int, algorithm: Algorithm
) -> str:
    values: list[str] = []

    def take(headers: Mapping[str, str], response: HTTPResponse) -> None:
        if response.status != 206 or int(headers.get("content-length") or -1) != size:
            raise LocalTrouble(f"the server does not give ranges of {source}")
        values.append(_received(crew, response, descriptor, offset, size, algorithm))

    asked = {**_match(found), **_range(offset, size)}
    crew.client.ask(Ask("GET", source.bucket, source.key, headers=asked), take)
    return values[-1]


def _received(crew: Crew, response: HTTPResponse, descriptor: int, offset: int, size: int, algorithm: Algorithm) -> str:
    """Writes a body into a file and gives its checksum. Raises: HTTPException where it is cut off."""
    digest, buffer, done = new(algorithm), memoryview(bytearray(PIECE_BYTES)), 0
    while count := response.readinto(buffer):
        crew.client.check_stop()
        crew.tally.received(count)
        digest.update(buffer[:count])
        try:
            os.pwrite(descriptor, buffer[:count], offset + done)
        except OSError as e:
            raise LocalTrouble(f"the file cannot be written: {e.strerror}") from e
        done += count
    if done != size:
        raise HTTPException(f"the answer ended after {done} of {size} bytes")
    return text_of(digest.digest())


def _etag_holds(crew: Crew, source: Remote, found: Found, headers: Mapping[str, str], part: Path) -> bool:
    """Whether the file is what the etag stands for; False where it stands for nothing that can be computed."""
    known = md5_promised(found.etag, headers)
    if known is None:
        return False
    if not known[1]:
        _hold_md5(source, known[0], md5_of(part, 0, found.size))
        return True
    try:
        first, _ = calls.head(crew.client, source.bucket, source.key, part=1)
    except S3Refused:
        return False
    spans = spans_of(found.size, first.size or found.size)
    if len(spans) != known[1]:
        return False  # its parts are of different sizes, and where they end is not said
    digests = b"".join(md5_of(part, offset, size) for _, offset, size in spans)
    _hold_md5(source, known[0], _md5(digests))
    return True


def _md5(data: bytes) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    digest.update(data)
    return digest.digest()


def _hold(source: Remote, known: tuple[Algorithm, str], value: str) -> None:
    if value != known[1]:
        raise Differs(f"{source} has the {known[0].value} {known[1]} at the server, and {value} here")


def _hold_md5(source: Remote, known: str, digest: bytes) -> None:
    if digest.hex() != known:
        raise Differs(f"{source} has the MD5 {known} at the server, and {digest.hex()} here")


def _opened(path: Path, truncate: bool) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if truncate else 0), 0o666)
    except OSError as e:
        raise LocalTrouble(f"{path} cannot be written: {e.strerror}") from e


def _named(part: Path, target: Path, found: Found) -> None:
    """Gives the file its name, and the object's time, by which a later sync knows it again."""
    try:
        os.utime(part, (found.modified_s, found.modified_s))
        os.replace(part, target)
    except OSError as e:
        raise LocalTrouble(f"{target} cannot be written: {e.strerror}") from e


def _match(found: Found) -> dict[str, str]:
    return {"if-match": f'"{found.etag}"'} if found.etag else {}


def _range(offset: int, size: int) -> dict[str, str]:
    return {"range": f"bytes={offset}-{offset + size - 1}"}
