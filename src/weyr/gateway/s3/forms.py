"""What does a browser's form hold? multipart/form-data read as it arrives: the fields first, then the one file.

S3 ignores what comes behind the file, so that the fields fit in memory and the file needs none: it is handed on
piece by piece. That is all of the format that is needed, and much less than a general parser's memory and time.
Source: RFC 7578; https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html (2026-11).
"""

from dataclasses import dataclass, field
from email.message import Message
from email.utils import collapse_rfc2231_value

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import BodyBroken, Stream
from weyr.gateway.s3.receive import BODY_MAX

FIELDS_BYTES_MAX = 64 * 1024
"""S3 takes 20 KB of fields; a policy of many conditions and its encoding may be somewhat longer."""
BOUNDARY_MAX = 200


def boundary_of(content_type: str) -> bytes:
    """The boundary of a form's Content-Type. Raises: S3Error where it is not a form's."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise S3Error("PreconditionFailed", "Bucket POST must be of the enclosure-type multipart/form-data")
    if not 0 < len(boundary) <= BOUNDARY_MAX:
        raise S3Error("MalformedPOSTRequest")
    return boundary.encode("latin-1", "replace")


@dataclass(slots=True)
class Form:
    """A form up to its file. As a stream it gives the file's bytes, and refuses them outside of `least` to `most`.

    `fields` are by lower-case name, since S3 does not distinguish.
    """

    body: Stream
    delimiter: bytes
    fields: dict[str, str] = field(default_factory=dict)
    filename: str = ""
    read: int = 0
    """How much of the body has been taken so far, and is not the file's."""
    least: int = 0
    most: int = BODY_MAX
    size: int = 0
    _pending: bytes = b""
    _is_over: bool = False

    async def chunk(self, at_least: int = 1) -> bytes:
        """The next bytes of the file, b"" once at its end. Raises: S3Error, BodyBroken."""
        pieces, gathered = [], 0
        while not self._is_over and gathered < max(1, at_least):
            found = self._pending.find(self.delimiter)
            if found >= 0:
                piece, self._pending, self._is_over = self._pending[:found], b"", True
            else:
                # The delimiter may have begun in what is held back.
                safe = max(0, len(self._pending) - len(self.delimiter) + 1)
                piece, self._pending = self._pending[:safe], self._pending[safe:]
            if piece:
                pieces.append(piece)
                gathered += len(piece)
                self.size += len(piece)
                if self.size > self.most:
                    raise S3Error("EntityTooLarge", MaxSizeAllowed=str(self.most), ProposedSize=str(self.size))
            if not self._is_over and gathered < max(1, at_least):
                more = await self.body.chunk(max(1, at_least - gathered))
                if not more:
                    raise S3Error("IncompleteBody", "The form ended within its file.")
                self._pending += more
        if self._is_over and not pieces and self.size < self.least:
            raise S3Error("EntityTooSmall", MinSizeAllowed=str(self.least), ProposedSize=str(self.size))
        return b"".join(pieces)


async def form_of(body: Stream, boundary: bytes) -> Form:
    """Reads a form up to the first byte of its file. Raises: S3Error where there is none, or its head is too long."""
    head = _Head(body)
    # The first delimiter has no line before it; with one, all are alike.
    head.buffer = b"\r\n"
    form = Form(body, b"\r\n--" + boundary)
    await head.past(form.delimiter)
    while True:
        if await head.past(b"\r\n") == b"--":
            raise S3Error("InvalidArgument", "POST requires exactly one file upload per request.", ArgumentName="file")
        name, filename = _disposition(await head.part_headers())
        if name == "file":
            form.filename, form.read, form._pending = filename, head.taken - len(head.buffer), head.buffer
            return form
        form.fields.setdefault(name, (await head.past(form.delimiter)).decode("utf-8", "replace"))


class _Head:
    """The part of a body before its file, bounded."""

    def __init__(self, body: Stream) -> None:
        self.buffer = b""
        self.taken = 0
        self._body = body
        self._passed = 0

    async def past(self, mark: bytes) -> bytes:
        """What comes before `mark`; goes on behind it."""
        searched = 0
        while (at := self.buffer.find(mark, searched)) < 0:
            if self._passed + len(self.buffer) > FIELDS_BYTES_MAX + len(mark):
                raise S3Error("MaxPostPreDataLengthExceededError", MaxPostPreDataLengthBytes=str(FIELDS_BYTES_MAX))
            searched = max(0, len(self.buffer) - len(mark) + 1)
            try:
                more = await self._body.chunk()
            except BodyBroken as e:
                raise S3Error(e.code) from e
            if not more:
                raise S3Error("MalformedPOSTRequest")
            self.taken += len(more)
            self.buffer += more
        before, self.buffer = self.buffer[:at], self.buffer[at + len(mark) :]
        self._passed += at + len(mark)
        if self._passed > FIELDS_BYTES_MAX:
            raise S3Error("MaxPostPreDataLengthExceededError", MaxPostPreDataLengthBytes=str(FIELDS_BYTES_MAX))
        return before

    async def part_headers(self) -> bytes:
        """The Content-Disposition of a part, behind its headers."""
        disposition = b""
        while line := await self.past(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-disposition":
                disposition = value.strip()
        return disposition


def _disposition(header: bytes) -> tuple[str, str]:
    """The name in small letters and the file's name, "" where it has none. Raises: S3Error MalformedPOSTRequest."""
    message = Message()
    message["content-disposition"] = header.decode("utf-8", "replace")
    name = message.get_param("name", header="content-disposition")
    if not isinstance(name, str) or not name:
        raise S3Error("MalformedPOSTRequest")
    filename = message.get_param("filename", "", header="content-disposition")
    return name.lower(), collapse_rfc2231_value(filename or "")
