"""How does an exchange look in a payload log? One line of JSON, its bodies as JSON where they are.

Pure. Of headers, only what says how to read a body is looked at, and none is written down.
"""

import base64
import codecs
import json
import zlib
from collections.abc import Mapping
from typing import Any

import httptools

from weyr.core.redact import Redaction

_SPOKEN = ("id", "at", "endpoint", "version", "replica", "caller", "method", "path", "status", "duration_s")


class _Answer:
    """Takes an answer apart: its head, and its body without framing."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.pieces: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)


def line_of(about: Mapping[str, Any], bodies: bytes, redaction: Redaction) -> bytes:
    """Takes what the plane said of an exchange, and the request's body with the answer's bytes behind it."""
    asked, told = bodies[: about["asked_kept"]], bodies[about["asked_kept"] :]
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    try:
        parser.feed_data(told)
    except httptools.HttpParserError:
        answer.pieces.append(b"")
    body = b"".join(answer.pieces)
    bytes_max, is_cut = int(about["bytes_max"]), bool(about["is_cut"])
    record = {name: about[name] for name in _SPOKEN}
    is_asked_cut = about["asked_bytes"] > len(asked)
    record["request"] = _body(asked, _headers(about.get("head", "")), is_asked_cut, redaction)
    record["request"]["bytes"] = about["asked_bytes"]
    record["response"] = _body(body[:bytes_max], answer.headers, is_cut or len(body) > bytes_max, redaction)
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _body(body: bytes, headers: Mapping[bytes, bytes], is_cut: bool, redaction: Redaction) -> dict[str, Any]:
    """A body with how to read it: `json`, `events`, `text` or `base64`."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    said: dict[str, Any] = {"type": kind, "is_cut": is_cut}
    encoding = headers.get(b"content-encoding", b"").lower()
    if encoding in (b"gzip", b"deflate"):
        body, was_cut = _inflated(body, encoding)
        said["is_cut"] = is_cut = is_cut or was_cut
    try:
        # A body that was cut may end within a letter.
        text = codecs.getincrementaldecoder("utf-8")().decode(body, final=not is_cut)
    except UnicodeDecodeError:
        # Nothing can be redacted in what cannot be read.
        is_free = not (redaction.paths or redaction.patterns)
        return said | ({"base64": base64.b64encode(body).decode()} if is_free else {"text": redaction.text("")})
    if kind == "text/event-stream":
        return said | {"events": [_event(line, redaction) for line in text.splitlines() if line.startswith("data:")]}
    if not text:
        return said
    try:
        return said | {"json": redaction.json(text)}
    except (ValueError, RecursionError):
        return said | {"text": redaction.text(text)}


def _event(line: str, redaction: Redaction) -> object:
    said = line.removeprefix("data:").strip()
    if said == "[DONE]":
        return said
    try:
        return redaction.json(said)
    except (ValueError, RecursionError):
        return redaction.text(said)


def _inflated(body: bytes, encoding: bytes) -> tuple[bytes, bool]:
    """At most sixteen times as much as came, and whether that is not all of it."""
    inflater = zlib.decompressobj(wbits=31 if encoding == b"gzip" else 15)
    try:
        whole = inflater.decompress(body, 16 * len(body) + 1024)
    except zlib.error:
        return b"", True
    return whole, not inflater.eof


def _headers(head: str) -> dict[bytes, bytes]:
    fields = (line.partition(":") for line in head.split("\r\n")[1:])
    return {name.strip().lower().encode(): value.strip().encode("latin-1", "replace") for name, _, value in fields}
