"""What is noted of a request beside its counts? Its tokens, its trace and its exchange, where somebody wants them."""

from typing import TYPE_CHECKING

from weyr.gateway.inference.capture import chosen
from weyr.gateway.inference.stream import Stream
from weyr.gateway.inference.trace import Passage, traced
from weyr.gateway.inference.version import Version
from weyr.wire.traces import TRACEPARENT

if TYPE_CHECKING:
    from weyr.gateway.inference.attempt import Attempt
    from weyr.gateway.inference.endpoint import Endpoint
    from weyr.gateway.inference.exchange import Exchange

_FIELD = b"\r\n" + TRACEPARENT + b":"


def watch(exchange: "Exchange", endpoint: "Endpoint") -> None:
    """The request begins: whether it is traced, and whether its exchange is kept."""
    wanted = endpoint.route.body.watch
    if wanted.traces_to and (trace := traced(exchange.traceparent, wanted.sample)):
        exchange.trace = trace
        exchange.head = _with_context(exchange.head, trace.upstream.header(), exchange.traceparent is not None)
    if wanted.log is not None and (capture := chosen(wanted.log)):
        exchange.capture = capture
        for piece in exchange.pieces[1::3] if exchange.is_chunked else exchange.pieces:
            capture.asked(piece)


def stream_of(exchange: "Exchange", version: Version, data: bytes) -> Stream | None:
    """What reads the tokens of an answer of this version that begins with `data`, None for one that has none."""
    head = data[: data.find(b"\r\n\r\n")]
    is_events = b"text/event-stream" in head
    is_metered = exchange.allowance is not None and exchange.allowance.is_metered
    if is_events or is_metered or (exchange.path.startswith(b"/v1/") and b"application/json" in head):
        is_chunked = is_events and b"\r\ntransfer-encoding:" in head.lower()
        return Stream(version.counts.measure, exchange.began_at, is_events, is_chunked, len(head) + 4)
    return None


def record(exchange: "Exchange", endpoint: "Endpoint", attempt: "Attempt | None", status: int, now: float) -> None:
    """The request is over: it is counted, and told of."""
    began_at, stream = exchange.began_at, exchange.stream
    replica, sent_at = (attempt.replica, attempt.sent_at) if attempt is not None else (None, 0.0)
    counts = endpoint.ended(status, now - began_at, replica.version if replica is not None else None)
    if attempt is not None and sent_at:
        counts.worked += 1
        if attempt.works_since:
            counts.worked_on(now - attempt.works_since)
    watched = endpoint.route.body.watch
    caller = exchange.caller if watched.has_callers else ""
    sizes = exchange.received, exchange.answered_bytes
    tokens = exchange.tokens
    counts.predictions += exchange.is_prediction
    counts.measure.ended(caller, status, (sent_at or now) - began_at, exchange.is_cold, sizes, tokens)
    if exchange.trace is None and exchange.capture is None:
        return
    plane = exchange.door.plane
    ahead_s, named = plane.wall_ahead_s, replica.address.id if replica else ""
    if exchange.trace is not None and (exporter := plane.exporter(watched.traces_to)):
        first_at = stream.first_at if stream is not None else 0.0
        exporter.put(Passage(
            exchange.trace, exchange.method.decode(), endpoint.route.name, counts.name, named, exchange.caller, status,
            began_at + ahead_s, sent_at and sent_at + ahead_s, now + ahead_s,
            first_at and first_at + ahead_s, tokens or (0, 0), exchange.is_cold, _path_of(exchange.head),
        ))  # fmt: skip
    if exchange.capture is not None:
        trace = exchange.trace.span.trace if exchange.trace else ""
        about = {
            "id": trace, "at": round(began_at + ahead_s, 6), "endpoint": endpoint.route.name, "version": counts.name,
            "replica": named, "caller": exchange.caller, "method": exchange.method.decode(),
            "path": _path_of(exchange.head), "status": status, "duration_s": round(now - began_at, 6),
            "head": exchange.head.decode("latin-1"),
        }  # fmt: skip
        plane.payloads.put(endpoint.route.name, exchange.capture.frame(about))


def _path_of(head: bytes) -> str:
    """Without its query, where people put keys."""
    return head.split(b" ", 2)[1].partition(b"?")[0].decode("latin-1")


def _with_context(head: bytes, context: bytes, has_one: bool) -> bytes:
    """The head with our own place in the trace in place of the caller's."""
    field = b"%b: %b\r\n" % (TRACEPARENT, context)
    if has_one:
        at = head.lower().find(_FIELD) + 2
        return head[:at] + field + head[head.find(b"\r\n", at) + 2 :]
    return head[:-2] + field + b"\r\n"
