"""What does it cost the inference plane to note what it does? CPU per request and per streamed chunk, by what is noted.

`python bench/watching.py` takes about a minute. Counting cannot be turned off, so its cost is measured by itself; what
a span costs is told beside OpenTelemetry's own SDK, in the same run. CPU of the plane is what the kernel says it used:
where that is sampled, a run can read far too little, and one that reads nothing is shown as unknown.
"""

import contextlib
import tempfile
import threading
import timeit
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from http_load import measure
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from serving_bench import BODY, CHUNKS, Bench, post

from weyr.core.watch import PayloadLog, Watch
from weyr.gateway.inference.measure import Measure
from weyr.gateway.inference.stream import Stream
from weyr.gateway.inference.trace import Passage, Trace, traced
from weyr.wire.otlp import Exporter, span_json

SECONDS = 2.0
CONNECTIONS = 16
REPEATS = 50_000


class _Taker(BaseHTTPRequestHandler):
    """A collector that takes everything and keeps nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class _Nowhere(SpanExporter):
    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weyr-bench")))
        bench = Bench(folder, stack)
        taker = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), _Taker))
        threading.Thread(target=taker.serve_forever, daemon=True).start()
        stack.callback(taker.shutdown)
        url = f"http://127.0.0.1:{taker.server_address[1]}"
        watches = {
            "counts": Watch(),
            "counts, nobody by name": Watch(has_callers=False),
            "and traces of 1 %": Watch(traces_to=url, sample=0.01),
            "and traces of all": Watch(traces_to=url, sample=1.0),
            "and a payload log of 5 %": Watch(log=PayloadLog("lake", sample=0.05)),
            "and a payload log of all": Watch(log=PayloadLog("lake")),
        }
        _planes(bench, watches)
    _parts()


def _planes(bench: Bench, watches: dict[str, Watch]) -> None:
    (echo, _, _), stream = bench.echo(), bench.stream()
    print(f"{'noted':28}{'µs/request':>12}{'µs/chunk':>10}   (plane only, {CONNECTIONS} connections)")
    for name, watch in watches.items():
        found, pid = bench.plane(echo, watch, "--spool", "spool")
        request = measure(found, post("/bench/model/echo", BODY), CONNECTIONS, SECONDS, [pid])
        found, pid = bench.plane(stream, watch, "--spool", "spool")
        streams = measure(found, post("/bench/model/v1/chat", BODY), CONNECTIONS, SECONDS * 2, [pid])
        assert request.failures == streams.failures == 0
        print(f"{name:28}{_known(request.cpu_us, 12, 1)}{_known(streams.cpu_us / CHUNKS, 10, 2)}", flush=True)


def _known(us: float, width: int, digits: int) -> str:
    return f"{us:{width}.{digits}f}" if us else "?".rjust(width)


def _parts() -> None:
    measure_, stream = Measure(), Stream(Measure(), 0.0, is_events=True)
    chunk = b'61\r\ndata: {"choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]}\n\n\r\n'
    trace = traced(None, 1.0)
    assert trace is not None
    print(f"\ncounting a request:          {_us(lambda: measure_.ended('a', 200, 0.0, False, (1, 1), None)):6.2f} µs")
    print(f"counting a chunk:            {_us(lambda: stream.passed(chunk, 1.0)):6.2f} µs")
    exporter = Exporter("http://127.0.0.1:9", "bench")
    exporter._thread = threading.current_thread()  # nobody sends: only the data path's part is measured
    kept = _us(lambda: exporter.put(_passage(traced(None, 1.0) or trace)))
    print(f"a traced request's 3 spans:  {kept:6.2f} µs, and {_us(_written(trace)):6.2f} in the thread")
    tracer = TracerProvider()
    tracer.add_span_processor(SimpleSpanProcessor(_Nowhere()))
    spans = tracer.get_tracer("bench")
    made: list[ReadableSpan] = []

    def sdk() -> None:
        made.clear()
        for name in ("POST", "queue", "replica"):
            span = spans.start_span(name, attributes={"weyr.endpoint": "a/b", "weyr.version": "1", "status": 200})
            span.end()
            assert isinstance(span, ReadableSpan)
            made.append(span)

    theirs = _us(sdk)
    encoded = _us(lambda: encode_spans(made).SerializeToString(), REPEATS // 20)
    print(f"the same by the SDK:         {theirs:6.2f} µs, and {encoded:6.2f} in the thread")
    print(f"ours / theirs, data path:    {kept / theirs:6.2f}")


def _passage(trace: Trace) -> Passage:
    return Passage(trace, "POST", "a/b", "1", "1", "ada", 200, 1.0, 1.1, 1.2, 0.0, (0, 0), False)


def _written(trace: Trace) -> Callable[[], object]:
    return lambda: [span_json(span) for span in _passage(trace).spans()]


def _us(work: Callable[[], object], repeats: int = REPEATS) -> float:
    return min(timeit.repeat(work, number=repeats, repeat=3)) / repeats * 1e6


if __name__ == "__main__":
    main()
