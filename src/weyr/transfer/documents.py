"""What do S3's XML documents say? Read and written as far as the verbs need them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from weyr.core.diagnostic import WeyrError


class NotS3(WeyrError):
    """What answers at the endpoint does not speak S3."""


def parsed(body: bytes) -> Element:
    """The document's root. Raises: NotS3."""
    try:
        # A server that is asked on purpose; what it could do with entities, it could do without them.
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as e:
        raise NotS3(f"what answers does not speak S3: {body[:80]!r}") from e


def error_of(body: bytes) -> tuple[str, str]:
    """(code, message) of an error document, empty where it is none. Some errors come with status 200."""
    if b"<Error" not in body[:400]:
        return "", ""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return "", ""
    return (text_in(root, "Code"), text_in(root, "Message")) if _name(root) == "Error" else ("", "")


def children(element: Element, name: str) -> Iterator[Element]:
    """The elements of that name, in whatever namespace."""
    return (child for child in element if _name(child) == name)


def text_in(element: Element, name: str) -> str:
    """The text of the first element of that name, "" where there is none."""
    child = next(children(element, name), None)
    return "" if child is None else child.text or ""


def decoded_in(element: Element, name: str) -> str:
    """As `text_in`, for what was asked for with `encoding-type=url`."""
    return unquote_plus(text_in(element, name))


def seconds_in(element: Element, name: str) -> float:
    """Unix seconds of a timestamp such as `2026-11-25T20:00:00.123Z`. Raises: NotS3."""
    text = text_in(element, name)
    try:
        when = datetime.fromisoformat(text)
    except ValueError as e:
        raise NotS3(f"{text!r} is no timestamp") from e
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def completion_document(parts: Sequence[tuple[int, str, str]]) -> bytes:
    """CompleteMultipartUpload for (number, etag, CRC32 or "") of each part."""
    rows = (
        f'<Part><PartNumber>{number}</PartNumber><ETag>"{escape(etag)}"</ETag>'
        + (f"<ChecksumCRC32>{crc}</ChecksumCRC32>" if crc else "")
        + "</Part>"
        for number, etag, crc in parts
    )
    return f"<CompleteMultipartUpload>{''.join(rows)}</CompleteMultipartUpload>".encode()


def deletion_document(keys: Sequence[str]) -> bytes:
    """Delete for these keys; only what failed is answered."""
    # A parser takes a carriage return in a text for a line feed, unless it is written as a reference.
    rows = (f"<Object><Key>{escape(key, {chr(13): '&#13;'})}</Key></Object>" for key in keys)
    return f"<Delete><Quiet>true</Quiet>{''.join(rows)}</Delete>".encode()


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]
