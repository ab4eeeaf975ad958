"""What is told of a request in the replica? Its own span, its wait, the batch it was computed in, the model's call.

The collector is OpenTelemetry's own variable, which the engine sets. Without it nothing is looked at; with it, only
requests that the plane says are traced cost anything.
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

from weyr.wire.message import Request
from weyr.wire.otlp import Exporter
from weyr.wire.traces import SERVER, TRACEPARENT, Context, Span, new_span_id, read_traceparent

COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"


@dataclass(frozen=True, slots=True)
class Traced:
    """A request that is told of: our span of it, and whose span that is below."""

    tracer: "Tracer"
    context: Context
    above: str


CURRENT: ContextVar[Traced | None] = ContextVar("weyr_request", default=None)
"""The request that is being read, if it is traced; what a task of it does later has it too."""


class Whole(NamedTuple):
    """A request that is over: its span, and what it is below."""

    context: Context
    above: str
    method: str
    path: str
    status: int
    began_at: float
    ended_at: float

    def spans(self) -> tuple[Span, ...]:
        said = (("http.request.method", self.method), ("url.path", self.path),
                ("http.response.status_code", self.status))  # fmt: skip
        problem = f"status {self.status}" if self.status >= 500 else ""
        return (Span(f"{self.method} {self.path}", self.context, self.above, self.began_at, self.ended_at, SERVER, said,
                     problem=problem),)  # fmt: skip


class Batch(NamedTuple):
    """A batch that was computed. `waited` are its traced requests, each with the moment since which it waited.

    The batch's span stands in the first one's trace and is linked to all; each request's wait is linked to the batch.
    """

    waited: Sequence[tuple[Context, float]]
    requests: int
    rows: int
    model: str
    began_at: float
    called_at: float
    ended_at: float

    def spans(self) -> tuple[Span, ...]:
        first = self.waited[0][0]
        batch, call = (Context(first.trace, new_span_id()) for _ in range(2))
        others = tuple(context for context, _ in self.waited)
        said = (("weyr.batch.requests", self.requests), ("weyr.batch.rows", self.rows), ("weyr.model", self.model))
        waits = (
            Span("replica queue", Context(context.trace, new_span_id()), context.span, since, self.began_at,
                 links=(batch,))
            for context, since in self.waited
        )  # fmt: skip
        return (
            *waits,
            Span("batch", batch, first.span, self.began_at, self.ended_at, attributes=said, links=others),
            Span("model", call, batch.span, self.called_at, self.ended_at, attributes=said[2:]),
        )


class Tracer:
    """Tells a collector of requests and batches. Moments are the loop's, which Unix time is `ahead_s` of."""

    def __init__(self, exporter: Exporter, loop_time: float) -> None:
        self.exporter = exporter
        self.ahead_s = time.time() - loop_time

    @classmethod
    def of(cls, environment: Mapping[str, str], loop_time: float) -> "Tracer | None":
        """None where nobody is to be told."""
        url = environment.get(COLLECTOR, "")
        return cls(Exporter(url, "weyr-replica", {"process.pid": os.getpid()}), loop_time) if url else None

    def begun(self, request: Request) -> Traced | None:
        """A request that the plane says is traced."""
        header = request.headers.get(TRACEPARENT)
        found = read_traceparent(header) if header else None
        if found is None or not found[1]:
            return None
        above = found[0]
        return Traced(self, Context(above.trace, new_span_id()), above.span)

    def ended(self, traced: Traced, request: Request, status: int, began_at: float, ended_at: float) -> None:
        """Tells of a request that is over."""
        context, above = traced.context, traced.above
        method, path = request.method.decode("latin-1"), request.path.decode("latin-1")
        ahead_s = self.ahead_s
        self.exporter.put(Whole(context, above, method, path, status, began_at + ahead_s, ended_at + ahead_s))

    def computed(
        self, waited: Sequence[tuple[Context, float]], requests: int, rows: int, model: str,
        moments: tuple[float, float, float],
    ) -> None:  # fmt: skip
        """Tells of a batch: when it was put together, when the model was called, and when that was over."""
        ahead_s = self.ahead_s
        since = [(context, at + ahead_s) for context, at in waited]
        began, called, ended = (moment + ahead_s for moment in moments)
        self.exporter.put(Batch(since, requests, rows, model, began, called, ended))
