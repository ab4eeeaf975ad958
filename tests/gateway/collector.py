"""A collector of traces for tests: it takes OTLP over HTTP, and reads it with OpenTelemetry's own protocol."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_IDS = ("traceId", "spanId", "parentSpanId")


class Collector:
    """What came, in order. `statuses` are answered first, one for each request; afterwards all is well."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.resources: list[dict[str, str]] = []
        self.spans: list[tuple[str, Span]] = []
        self.url = ""

    def named(self, name: str) -> list[Span]:
        """The spans of this name."""
        return [span for _, span in self.spans if span.name == name]

    def take(self, body: bytes) -> None:
        """Raises: ParseError where it is not what the protocol says."""
        request = json_format.Parse(json.dumps(_as_protobuf(json.loads(body))), ExportTraceServiceRequest())
        for resource in request.resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.resources.append(named)
            self.spans += [(named["service.name"], span) for scope in resource.scope_spans for span in scope.spans]


def attributes(span: Span) -> dict[str, object]:
    """A span's attributes as plain values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in span.attributes}


@contextmanager
def collector(port: int = 0) -> Iterator[Collector]:
    """A collector that listens on loopback."""
    ours = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/json")
            status = ours.statuses.pop(0) if ours.statuses else 200
            if status == 200:
                ours.take(body)
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        ours.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield ours
        finally:
            server.shutdown()


def _as_protobuf(value: Any) -> Any:
    """OTLP writes ids in hexadecimal where protobuf's own JSON has base64: its one difference."""
    match value:
        case dict():
            return {
                key: base64.b64encode(bytes.fromhex(each)).decode() if key in _IDS else _as_protobuf(each)
                for key, each in value.items()
            }
        case list():
            return [_as_protobuf(each) for each in value]
        case _:
            return value
