"""How does a file get into a bucket? In one request, or in parts of which those that arrived are never sent again."""

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from weyr.transfer import calls
from weyr.transfer.address import Remote
from weyr.transfer.calls import Arrived
from weyr.transfer.checking import crc_of, crc_of_bytes, joined_crc, md5_of, md5_promised, pieces
from weyr.transfer.client import Answer, Body, FilePart, LocalTrouble, S3Refused
from weyr.transfer.crew import PART_BYTES, PARTS_MAX, Crew, part_bytes_of, spans_of
from weyr.transfer.journal import Journal

FULL = {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"}
STREAM_PART_BYTES = 64 * 1024 * 1024
"""Nobody knows how long a stream is: 10,000 such parts hold 625 GiB."""


class Differs(LocalTrouble):
    """What arrived is not what was sent."""


@dataclass(frozen=True, slots=True)
class _Sent:
    number: int
    etag: str
    crc: str
    size: int
    is_verified: bool
    is_kept: bool = False


def upload(crew: Crew, source: Path, target: Remote) -> bool:
    """Stores a file. Gives whether the server confirmed its bytes.

    Raises: S3Refused, Unreachable, LocalTrouble; UserError where another process uploads it to the same place.
    """
    size = _stat(source)["size"]
    if size <= PART_BYTES:
        data = b"".join(pieces(source, 0, size))
        is_verified = _put(crew, data, target, _type_of(target.key))
        crew.tally.passed(size)
        return is_verified
    with Journal(crew.journals, crew.client.endpoint, str(source.absolute()), str(target)) as journal:
        return _in_parts(crew, source, target, journal)


def upload_stream(crew: Crew, stream: BinaryIO, target: Remote) -> bool:
    """Stores what comes until the stream ends. Gives as `upload`; what was sent before an error is taken away again."""
    data = _filled(stream, PART_BYTES)
    if len(data) < PART_BYTES:
        crew.tally.expect(len(data))
        is_verified = _put(crew, data, target, _type_of(target.key))
        crew.tally.passed(len(data))
        return is_verified
    place = _begun(crew, target)
    sent: list[_Sent] = []
    try:
        while data and len(sent) < PARTS_MAX:
            crew.tally.expect(len(data))
            sent.append(_part(crew, place, len(sent) + 1, data, crc_of_bytes(data), len(data)))
            crew.tally.passed(len(data))
            data = _filled(stream, STREAM_PART_BYTES)
        if data:
            raise LocalTrouble(f"the stream has more than {PARTS_MAX} parts of {STREAM_PART_BYTES} bytes")
        return _finished(crew, place, sent)
    except BaseException:
        calls.abort_upload(crew.client, place)
        raise


def _put(crew: Crew, data: bytes, target: Remote, content_type: str) -> bool:
    crc = crc_of_bytes(data)
    answer = calls.put(crew.client, target.bucket, target.key, data, crc, content_type)
    return _is_confirmed(answer, data, crc, str(target))


def _in_parts(crew: Crew, source: Path, target: Remote, journal: Journal) -> bool:
    is_now = _stat(source)
    head, _ = journal.read()
    place, arrived = _resumed(crew, target, head, is_now)
    part_bytes = int(head["part_bytes"]) if arrived is not None else part_bytes_of(is_now["size"])
    if arrived is None:
        place = _begun(crew, target)
        journal.begin({"upload": place[2], "part_bytes": part_bytes, **is_now})
    there = {part.number: part for part in arrived or ()}

    def carry(span: tuple[int, int, int]) -> _Sent:
        number, offset, size = span
        crc = crc_of(source, offset, size)
        before = there.get(number)
        if before is not None and _is_that(before, source, offset, size, crc):
            crew.tally.passed(size, is_kept=True)
            return _Sent(number, before.etag, crc, size, is_verified=True, is_kept=True)
        sent = _part(crew, place, number, FilePart(source, offset, size), crc, size)
        crew.tally.passed(size)
        return sent

    sent = list(crew.each(carry, spans_of(is_now["size"], part_bytes)))
    if _stat(source) != is_now:
        raise LocalTrouble(f"{source} was changed while it was copied; copy it again")
    is_verified = _finished(crew, place, sent)
    journal.end()
    return is_verified


def _resumed(
    crew: Crew, target: Remote, head: Mapping[str, object], is_now: Mapping[str, int]
) -> tuple[tuple[str, str, str], list[Arrived] | None]:
    """The upload that was cut, and what of it has arrived; None where there is none to go on with."""
    place = target.bucket, target.key, str(head.get("upload", ""))
    if not place[2]:
        return place, None
    try:
        if any(head.get(name) != value for name, value in is_now.items()):
            calls.abort_upload(crew.client, place)  # the file is another by now, and its parts are of no use
            return place, None
        return place, calls.parts(crew.client, place)
    except S3Refused as e:
        if e.code != "NoSuchUpload":
            raise
        return place, None


def _begun(crew: Crew, target: Remote) -> tuple[str, str, str]:
    headers = {"content-type": _type_of(target.key), **FULL}
    return target.bucket, target.key, calls.begin_upload(crew.client, target.bucket, target.key, headers)


def _part(crew: Crew, place: tuple[str, str, str], number: int, body: Body, crc: str, size: int) -> _Sent:
    answer = calls.put_part(crew.client, place, number, body, crc)
    is_verified = _is_confirmed(answer, body, crc, f"part {number} of s3://{place[0]}/{place[1]}")
    return _Sent(number, answer.headers.get("etag", "").strip('"'), crc, size, is_verified)


def _finished(crew: Crew, place: tuple[str, str, str], sent: list[_Sent]) -> bool:
    """Completes the upload. Raises: Differs where the server made something else of it."""
    said = calls.complete_upload(crew.client, place, [(part.number, part.etag, part.crc) for part in sent])
    whole = joined_crc((part.crc, part.size) for part in sent)
    if said and "-" not in said and said != whole:
        raise Differs(f"s3://{place[0]}/{place[1]} has the CRC32 {said} at the server, and {whole} here")
    return all(part.is_verified for part in sent)


def _is_confirmed(answer: Answer, body: Body, crc: str, what: str) -> bool:
    """Whether the server compared the bytes. One that knows no checksums is held to its etag."""
    if answer.headers.get("x-amz-checksum-crc32") == crc:
        return True
    promised = md5_promised(answer.headers.get("etag", "").strip('"'), answer.headers)
    if promised is None:
        return False
    digest = _md5_of(body)
    if digest.hex() != promised[0]:
        raise Differs(f"{what} has the MD5 {promised[0]} at the server, and {digest.hex()} here")
    return True


def _is_that(part: Arrived, source: Path, offset: int, size: int, crc: str) -> bool:
    """Whether a part that arrived is what the file has there."""
    if part.size != size:
        return False
    return part.crc == crc if part.crc else part.etag == md5_of(source, offset, size).hex()


def _md5_of(body: Body) -> bytes:
    if isinstance(body, FilePart):
        return md5_of(body.path, body.offset, body.size)
    return hashlib.md5(body, usedforsecurity=False).digest()


def _stat(path: Path) -> dict[str, int]:
    """What tells a file from what it was before. Raises: LocalTrouble."""
    try:
        stat = path.stat()
    except OSError as e:
        raise LocalTrouble(f"{path} cannot be read: {e.strerror}") from e
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "inode": stat.st_ino}


def _filled(stream: BinaryIO, size: int) -> bytes:
    """The next `size` bytes, fewer only at the end."""
    got = bytearray()
    while len(got) < size and (piece := stream.read(size - len(got))):
        got += piece
    return bytes(got)


def _type_of(key: str) -> str:
    return mimetypes.guess_type(key)[0] or "application/octet-stream"
