"""How do spans reach a collector? As OTLP/HTTP in JSON, from a thread of its own, and never at a request's cost.

What is put here is only kept on the data path; its spans are made in the thread. What is kept is bounded: with a
collector that is away or slow the oldest go, and are counted (docs/decisions has why this is not OpenTelemetry's SDK).

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp (JSON encoding, retry rules), read 2026-11.
"""

import json
import threading
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib.metadata import version
from itertools import chain
from typing import Protocol
from urllib.parse import urlsplit

from weyr.wire.traces import Context, Span, Value

WAITING_MAX = 4096
BATCH_MAX = 32
"""Writing a batch holds the interpreter's lock, about 20 µs a span: requests go on in between."""
TIMEOUT_S = 5.0
EVERY_S = 0.5
BACKOFF_MAX_S = 30.0
_BUSY = frozenset({429, 502, 503, 504})
"""Answers that ask to try again; any other refusal is of the spans, and they are dropped."""


class Told(Protocol):
    """What spans can be made of, later and elsewhere."""

    def spans(self) -> Sequence[Span]: ...


class Exporter:
    """Sends spans to one collector. `sent` counts spans and `dropped` what was told in vain, since it began.

    Takes: `url`, the collector's base such as http://127.0.0.1:4318 (spans go to /v1/traces below it), `service`, what
    this process is called, and `about`, more of its resource.
    Promises: `put` never waits and never raises.
    """

    def __init__(self, url: str, service: str, about: Mapping[str, Value] | None = None) -> None:
        self.url = url
        self.sent = 0
        self.dropped = 0
        resource = {
            "service.name": service,
            "service.namespace": "weyr",
            "service.version": version("weyr"),
            "service.instance.id": str(uuid.uuid4()),
            **(about or {}),
        }
        self._resource = {"attributes": attributes_of(tuple(resource.items()))}
        self._waiting: deque[Told] = deque()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, told: Told) -> None:
        """Takes what was done. The first of it starts the thread: who is never traced has none."""
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(told)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
            self._thread.start()

    def close(self, wait_s: float = 1.0) -> None:
        """Sends what waits, as far as that goes in `wait_s`."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(wait_s)

    def _run(self) -> None:
        failures = 0
        while True:
            is_last = self._stopping.wait(min(EVERY_S * 2**failures, BACKOFF_MAX_S))
            try:
                self._send_all()
                failures = 0
            except (OSError, HTTPException):
                failures = min(failures + 1, 10)
            if is_last:
                return

    def _send_all(self) -> None:
        """Raises: OSError, HTTPException where the collector is away; what was not taken still waits then."""
        if not self._waiting:
            return
        connection, path = _connection(self.url)
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
                try:
                    self._send(connection, path, batch)
                except (OSError, HTTPException):
                    self._put_back(batch)
                    raise
        finally:
            connection.close()

    def _send(self, connection: HTTPConnection, path: str, batch: Sequence[Told]) -> None:
        spans = list(chain.from_iterable(told.spans() for told in batch))
        body = json.dumps(request_of(self._resource, spans), separators=(",", ":"))
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read(2**16)
        if answer.status in _BUSY:
            raise ConnectionError(f"the collector answered {answer.status}")
        if answer.status == 200:
            self.sent += len(spans)
        else:
            self.dropped += len(batch)

    def _put_back(self, batch: Sequence[Told]) -> None:
        room = max(0, WAITING_MAX - len(self._waiting))
        self.dropped += max(0, len(batch) - room)
        self._waiting.extendleft(reversed(batch[-room:] if room else ()))


def request_of(resource: Mapping[str, object], spans: Sequence[Span]) -> dict[str, object]:
    """The body of an export."""
    scope = {"scope": {"name": "weyr"}, "spans": [span_json(span) for span in spans]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}


def span_json(span: Span) -> dict[str, object]:
    """Ids stay hexadecimal, and 64-bit numbers are texts: so OTLP writes them in JSON."""
    told: dict[str, object] = {
        "traceId": span.context.trace,
        "spanId": span.context.span,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(round(span.began_at * 1e9)),
        "endTimeUnixNano": str(round(max(span.began_at, span.ended_at) * 1e9)),
        "attributes": attributes_of(span.attributes),
    }
    if span.parent:
        told["parentSpanId"] = span.parent
    if span.links:
        told["links"] = [_link(context) for context in span.links]
    if span.problem:
        told["status"] = {"code": 2, "message": span.problem}
    return told


def attributes_of(pairs: Sequence[tuple[str, Value]]) -> list[dict[str, object]]:
    return [{"key": key, "value": _value(value)} for key, value in pairs]


def _link(context: Context) -> dict[str, str]:
    return {"traceId": context.trace, "spanId": context.span}


def _value(value: Value) -> dict[str, object]:
    match value:
        case str():
            return {"stringValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}


def _connection(url: str) -> tuple[HTTPConnection, str]:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT_S), f"{parts.path.rstrip('/')}/v1/traces"
