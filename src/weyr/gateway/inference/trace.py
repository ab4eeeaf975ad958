"""What is told of one request to who traces? Moments while it goes on, and three spans once it is over.

They are made in the exporter's thread; the request itself pays for two ids and a tuple.
"""

from typing import NamedTuple

from weyr.wire.traces import CLIENT, INTERNAL, SERVER, Context, Span, Value, joined, new_span_id

OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/messages": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}
"""What OpenTelemetry's conventions for generative AI call it, by the path that is asked for it."""


class Trace:
    """The trace of one request under way. `above` is whose span ours is below, `span` our own."""

    __slots__ = ("above", "span", "upstream")

    def __init__(self, above: Context) -> None:
        self.above = above.span
        self.span = Context(above.trace, new_span_id())
        self.upstream = Context(above.trace, new_span_id())
        """The replica's span is below this one: it is what the replica is told."""


class Passage(NamedTuple):
    """A request that is over. Moments are Unix seconds; `sent_at` is 0 where no replica was sent it."""

    trace: Trace
    method: str
    endpoint: str
    version: str
    replica: str
    caller: str
    status: int
    began_at: float
    sent_at: float
    ended_at: float
    first_token_at: float
    tokens: tuple[int, int]
    is_cold: bool
    path: str = ""
    """What was asked of the endpoint, its query left away."""

    def spans(self) -> tuple[Span, ...]:
        """The plane's own, the wait for a replica below it, and the replica's answer."""
        trace = self.trace
        problem = f"status {self.status}" if self.status >= 500 else ""
        where = (("weyr.endpoint", self.endpoint), ("weyr.version", self.version))
        whole = Span(
            f"{self.method} {self.endpoint}", trace.span, trace.above, self.began_at, self.ended_at, SERVER,
            (*where, *self._said()), problem=problem,
        )  # fmt: skip
        waited_until = self.sent_at or self.ended_at
        context = Context(trace.span.trace, new_span_id())
        is_cold: tuple[str, Value] = ("weyr.cold_start", int(self.is_cold))
        queue = Span("queue", context, trace.span.span, self.began_at, waited_until, INTERNAL, (is_cold,))
        if not self.sent_at:
            return whole, queue
        sent = Span(
            f"{self.method} replica", trace.upstream, trace.span.span, self.sent_at, self.ended_at, CLIENT,
            (*where, ("weyr.replica", self.replica)), problem=problem,
        )  # fmt: skip
        return whole, queue, sent

    def _said(self) -> tuple[tuple[str, Value], ...]:
        """What OpenTelemetry's conventions for HTTP and generative AI have names for."""
        said: list[tuple[str, Value]] = [
            ("http.request.method", self.method),
            ("http.response.status_code", self.status),
            ("http.route", f"/{self.endpoint}"),
            ("url.path", self.path),
            ("enduser.id", self.caller),
        ]
        if self.status >= 500:
            said.append(("error.type", str(self.status)))
        if operation := OPERATIONS.get(self.path):
            # Which model answers is Weyr's choice: the version says which.
            said += [("gen_ai.operation.name", operation), ("gen_ai.provider.name", "weyr"),
                     ("gen_ai.request.model", self.endpoint)]  # fmt: skip
        if self.first_token_at:
            said.append(("gen_ai.server.time_to_first_token", self.first_token_at - self.began_at))
        if any(self.tokens):
            said += [("gen_ai.usage.input_tokens", self.tokens[0]), ("gen_ai.usage.output_tokens", self.tokens[1])]
        return tuple(said)


def traced(header: bytes | None, sample: float) -> Trace | None:
    """The trace to tell of this request in, None for a request that nobody wants to hear of."""
    above = joined(header, sample)
    return Trace(above) if above is not None else None
