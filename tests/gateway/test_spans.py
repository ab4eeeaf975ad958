"""Spans reach a collector as its own protocol reads them, and never hold up who is traced."""

from importlib.metadata import version

import pytest
from collector import attributes, collector
from inference_plane import until

from weyr.wire.otlp import WAITING_MAX, Exporter
from weyr.wire.traces import SERVER, Context, Span, joined, read_traceparent

CALLER = Context("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
HEADER = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEADERS: dict[bytes, tuple[Context, bool] | None] = {
    HEADER: (CALLER, True),
    b" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00 ": (CALLER, False),
    b"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes-later": (CALLER, True),
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more": None,
    b"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": None,
    b"00-00000000000000000000000000000000-b7ad6b7169203331-01": None,
    b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": None,
    b"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01": None,
    b"": None,
}


def span(number: int) -> Span:
    return Span(f"work {number}", Context(CALLER.trace, f"{number + 1:016x}"), CALLER.span, 1.5, 2.25)


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_a_traceparent_is_read_as_its_standard_says(header: bytes) -> None:
    """A wrong one begins a new trace; it never fails a request."""
    assert read_traceparent(header) == HEADERS[header]


def test_a_caller_that_does_not_sample_is_not_traced() -> None:
    """Its choice holds for all that is below it; only who brings no trace is drawn for."""
    unsampled = HEADER[:-1] + b"0"

    assert joined(unsampled, 1.0) is None
    assert joined(HEADER, 0.0) == CALLER
    assert joined(None, 0.0) is None
    made = joined(None, 1.0)
    assert made is not None
    assert read_traceparent(Context(made.trace, CALLER.span).header()) == (Context(made.trace, CALLER.span), True)


def test_a_collector_reads_what_was_told() -> None:
    """Names, moments, parents, links and attributes of every sort."""
    with collector() as there:
        exporter = Exporter(there.url, "weyr-test", {"process.pid": 7})
        said = (("a", "text"), ("b", 2**40), ("c", 0.5))
        exporter.put(Span("POST x", CALLER, "", 1.5, 2.25, SERVER, said, (CALLER,), "status 502"))
        exporter.put(span(1))
        exporter.close(5.0)

        (service, first), (_, second) = there.spans
        assert service == "weyr-test"
        (resource,) = there.resources
        assert resource["service.namespace"] == "weyr"
        assert resource["service.version"] == version("weyr")
        assert resource["service.instance.id"], "two processes of one name are told apart"
        assert (first.trace_id.hex(), first.span_id.hex(), first.parent_span_id) == (*CALLER, b"")
        assert (first.start_time_unix_nano, first.end_time_unix_nano) == (1_500_000_000, 2_250_000_000)
        assert (first.kind, first.status.code, first.status.message) == (2, 2, "status 502")
        assert attributes(first) == {"a": "text", "b": 2**40, "c": 0.5}
        assert first.links[0].span_id.hex() == CALLER.span
        assert second.parent_span_id.hex() == CALLER.span
        assert exporter.sent == 2


def test_a_busy_collector_is_asked_again() -> None:
    """Nothing is lost of a collector's restart, as long as there is room."""
    with collector() as there:
        there.statuses = [503]
        exporter = Exporter(there.url, "weyr-test")
        exporter.put(span(1))
        until(lambda: there.spans, "the span comes at the second try")
        exporter.close()

        assert (exporter.sent, exporter.dropped) == (1, 0)


def test_a_collector_that_is_away_costs_a_bounded_memory() -> None:
    """The newest are kept: who looks after a failure wants to see what is going on now."""
    exporter = Exporter("http://127.0.0.1:9", "weyr-test")
    for number in range(WAITING_MAX + 100):
        exporter.put(span(number))

    assert len(exporter._waiting) <= WAITING_MAX
    assert exporter.dropped >= 100
    exporter.close(0.0)
