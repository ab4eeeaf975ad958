"""How are S3's XML documents written and read? A tiny writer, and expat with everything exotic refused."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote
from xml.etree import ElementTree

from weyr.gateway.s3.errors import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DOCUMENT_BYTES_MAX = 2 * 2**20
"""1,000 keys of 1,024 bytes, escaped, fit; so do the 10,000 parts of a completion."""

DEPTH_MAX = 16

_UNREADABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What no XML 1.0 document may hold, and a key may. S3 writes references to them all the same, which many readers
refuse: `encoding-type=url` is for that."""
_ESCAPES = {code: f"&#x{code:X};" for code in (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)} | str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;", '"': "&quot;"}
)

_is_special = re.compile('[&<>"\0-\x08\x0b-\x1f\ufffe\uffff]').search
"""Most keys need no escapes, and to look is a fifth of what it is to translate."""

Content = str | int | bool | None | Iterable["tuple[str, Content]"]


def escaped(text: str) -> str:
    """Text as element content."""
    return text.translate(_ESCAPES) if _is_special(text) else text


def element(name: str, content: Content) -> str:
    """One element. Content is text, a number, a truth value, or pairs of child names and contents; None is left out."""
    match content:
        case None:
            return ""
        case bool():
            return f"<{name}>{'true' if content else 'false'}</{name}>"
        case int():
            return f"<{name}>{content}</{name}>"
        case str():
            return f"<{name}>{content.translate(_ESCAPES)}</{name}>"
        case _:
            return f"<{name}>{''.join(element(child, inner) for child, inner in content)}</{name}>"


def document(name: str, content: Iterable[tuple[str, Content]]) -> bytes:
    """A whole document in S3's namespace."""
    inner = "".join(element(child, value) for child, value in content)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{NAMESPACE}">{inner}</{name}>'.encode()


def raw_document(name: str, inner: str) -> bytes:
    """A whole document around children that are already written."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{NAMESPACE}">{inner}</{name}>'.encode()


def error_document(error: S3Error, resource: str, request_id: str) -> bytes:
    """The error document; S3 writes it without a namespace. It can be read whatever the key: a client that cannot
    read why it was refused takes its own guess."""
    pairs = [("Code", error.code), ("Message", error.message), *error.fields.items()]
    pairs += [("Resource", resource), ("RequestId", request_id)]
    inner = "".join(element(n, _UNREADABLE.sub(lambda found: quote(found[0]), v)) for n, v in pairs)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


def timestamp(at_ms: int) -> str:
    """Unix milliseconds as S3 writes time: `2026-11-22T11:52:04.125Z`."""
    return f"{_second(at_ms // 1000)}{at_ms % 1000:03d}Z"


@lru_cache(maxsize=4096)
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


def url_encoded(text: str) -> str:
    """A key as `encoding-type=url` has it."""
    return quote(text, safe="/*-._~")


class Node:
    """A read element: children by local name, whatever their namespace."""

    def __init__(self, source: ElementTree.Element) -> None:
        self._source = source

    @property
    def name(self) -> str:
        return self._source.tag.rpartition("}")[2]

    @property
    def text(self) -> str:
        return self._source.text or ""

    def __iter__(self) -> Iterator["Node"]:
        return (Node(child) for child in self._source)

    def text_of_all(self) -> str:
        """The document again, without attributes and in S3's namespace: as it is kept."""
        return raw_document(self.name, "".join(child.written(DEPTH_MAX) for child in self)).decode()

    def written(self, depth: int) -> str:
        """This element with all that is in it. Raises: MalformedXML where that is deeper than any document of S3."""
        if depth == 0:
            raise S3Error("MalformedXML")
        inner = "".join(child.written(depth - 1) for child in self)
        return f"<{self.name}>{inner or escaped(self.text.strip())}</{self.name}>"

    def all(self, name: str) -> list["Node"]:
        return [child for child in self if child.name == name]

    def get(self, name: str) -> str | None:
        """The text of the child of that name, None where there is none. Raises: MalformedXML where there are more."""
        found = self.all(name)
        if len(found) > 1:
            raise S3Error("MalformedXML", f"<{name}> is there more than once in <{self.name}>")
        return found[0].text if found else None

    def need(self, name: str) -> str:
        """As `get`. Raises: MalformedXML where it is missing."""
        found = self.get(name)
        if found is None:
            raise S3Error("MalformedXML", f"<{name}> is missing in <{self.name}>")
        return found


def parsed(text: bytes, root: str) -> Node:
    """The document's root. Raises: MalformedXML, also for document types (entity bombs) and another root.

    Only encodings that write ASCII as it is are read: in UTF-16 a document type would not be seen here.
    """
    if b"\0" in text:
        raise S3Error("MalformedXML", "the document is not in UTF-8")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise S3Error("MalformedXML", "a document type is not accepted")
    try:
        node = Node(ElementTree.fromstring(text))
    except (ElementTree.ParseError, ValueError, LookupError) as e:
        raise S3Error("MalformedXML") from e
    if node.name != root:
        raise S3Error("MalformedXML", f"<{root}> was expected")
    return node
