"""What a payload log holds of an exchange, where it lies, and what a killed writer leaves."""

import json
from pathlib import Path
from typing import Any

from weyr.core.redact import redaction_of
from weyr.core.watch import PayloadLog
from weyr.gateway.inference.capture import Capture
from weyr.gateway.inference.payload_record import line_of
from weyr.gateway.inference.payload_writer import FILE_S_MAX, Writer
from weyr.wire.frames import Frames

HEAD = "POST /v1/x HTTP/1.1\r\ncontent-type: application/json\r\nx-api-key: secret\r\n\r\n"
ABOUT = {
    "id": "a1", "at": 1_760_000_000.0, "endpoint": "digits/digits", "version": "3", "replica": "1", "caller": "ada",
    "method": "POST", "path": "/v1/x", "status": 200, "duration_s": 0.012, "head": HEAD,
}  # fmt: skip
NOON = 1_763_812_800.0


def exchanged(log: PayloadLog, asked: list[bytes], told: list[bytes]) -> tuple[dict[str, Any], bytes]:
    """What the writer is sent of an exchange."""
    capture = Capture(log)
    for piece in asked:
        capture.asked(piece)
    for piece in told:
        capture.told(piece)
    ((about, bodies),) = Frames(2**30).feed(capture.frame(ABOUT))
    return about, bodies


def answer(body: bytes, *fields: str) -> bytes:
    head = "\r\n".join(["HTTP/1.1 200 OK", f"content-length: {len(body)}", *fields, "", ""])
    return head.encode() + body


def record(log: PayloadLog, asked: list[bytes], told: list[bytes]) -> dict[str, Any]:
    about, bodies = exchanged(log, asked, told)
    line = line_of(about, bodies, redaction_of(log.redact))
    found: dict[str, Any] = json.loads(line)
    return found


def test_bodies_are_written_as_what_they_are() -> None:
    """Whoever looks for drift reads fields, not escaped text. No header is written down."""
    found = record(PayloadLog("lake"), [b'{"inputs"', b": [1]}"], [answer(b'{"outputs":[2]}', "set-cookie: s")])

    assert found["request"] == {"type": "application/json", "is_cut": False, "json": {"inputs": [1]}, "bytes": 15}
    assert found["response"]["json"] == {"outputs": [2]}
    assert not {word for word in ("secret", "cookie", "set-cookie") if word in json.dumps(found)}


def test_a_streams_events_are_redacted_one_by_one() -> None:
    """A language model's answer is as private as its question, chunk by chunk."""
    events = b'data: {"delta":{"content":"hi"},"n":1}\n\ndata: [DONE]\n\n'
    chunked = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n%b\r\n0\r\n\r\n" % (len(events), events)
    found = record(PayloadLog("lake", redact=("delta.content", "messages[*].content")), [b'{"messages":[]}'], [chunked])

    assert found["response"]["events"] == [{"delta": {"content": "[redacted]"}, "n": 1}, "[DONE]"]


def test_a_body_is_cut_at_its_bound() -> None:
    """An upload of a gigabyte is not kept; that it was cut is said, and a cut letter is no damage."""
    found = record(PayloadLog("lake", bytes_max=5), [b"abcd", "öö".encode()], [answer(b"x" * 9)])

    assert (found["request"]["text"], found["request"]["is_cut"], found["request"]["bytes"]) == ("abcd", True, 8)
    assert found["response"]["text"] == "xxxxx"
    assert found["response"]["is_cut"]


def test_files_lie_by_version_and_hour_as_they_will_in_the_bucket(tmp_path: Path) -> None:
    """The folder is a tree of buckets: what carries it away needs to know nothing else."""
    writer = Writer(tmp_path, 2**20)
    assert writer.take(*exchanged(PayloadLog("lake", "logs/"), [b"{}"], [answer(b"{}")]), NOON) == ""
    writer.close_old(NOON + 1)
    assert not list(tmp_path.rglob("*.jsonl"))
    writer.close_old(NOON + FILE_S_MAX)

    (file,) = tmp_path.rglob("*.jsonl")
    assert file.parent == tmp_path / "lake/logs/digits/digits/version=3/date=2025-11-22/hour=12"
    assert json.loads(file.read_text())["caller"] == "ada"


def test_what_has_no_room_is_dropped_and_said(tmp_path: Path) -> None:
    """A log is never a reason for a full disk."""
    writer = Writer(tmp_path, 10)

    assert writer.take(*exchanged(PayloadLog("lake"), [b"{}"], [answer(b"{}")]), NOON) == "disk"


def test_a_killed_writers_whole_lines_are_kept(tmp_path: Path) -> None:
    """What was written once survives the plane; a line that was cut by a kill is no line."""
    folder = tmp_path / "lake" / "x"
    folder.mkdir(parents=True)
    (folder / "1-999999999-1.jsonl.part").write_bytes(b'{"a":1}\n{"b":')
    (folder / "1-999999999-2.jsonl.part").write_bytes(b'{"b":')

    Writer(tmp_path, 2**20).adopt()

    assert [path.name for path in sorted(folder.iterdir())] == ["1-999999999-1.jsonl"]
    assert (folder / "1-999999999-1.jsonl").read_bytes() == b'{"a":1}\n'
