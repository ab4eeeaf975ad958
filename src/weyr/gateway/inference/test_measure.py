"""Callers are counted by name within bounds, and a language model's tokens as its answer says."""

import pytest

from weyr.core.serving_metrics import OTHER
from weyr.gateway.inference.measure import CALLER_LEFT, NAMED_MAX, Callers, Measure
from weyr.gateway.inference.stream import Stream


def asked(callers: Callers, name: str, times: int = 1) -> None:
    for _ in range(times):
        tally = callers.of(name)
        tally.statuses[200] = tally.statuses.get(200, 0) + 1


def test_a_crowd_of_callers_is_one_series() -> None:
    """A key for each visitor must not become a series for each visitor, in Prometheus and in our memory."""
    callers = Callers()
    for number in range(10_000):
        asked(callers, f"key-{number}")

    counted = {name: sum(tally.statuses.values()) for name, tally in callers.items()}
    assert len(counted) == NAMED_MAX + 1
    assert counted[OTHER] == 10_000 - NAMED_MAX


def test_who_becomes_busy_gets_a_name() -> None:
    """The first callers of the day need not be those that matter; the others' series never goes down."""
    callers = Callers()
    for number in range(NAMED_MAX):
        asked(callers, f"early-{number}", 3 if number else 1)
    callers.rotate()
    for number in range(500):
        asked(callers, f"rare-{number}")
        asked(callers, "busy")
    before = dict(callers.items())[OTHER].statuses[200]
    callers.rotate()
    asked(callers, "busy")

    after = dict(callers.items())
    assert after["busy"].statuses == {200: 1}
    assert after[OTHER].statuses[200] == before
    assert len(after) == NAMED_MAX + 1


def test_who_left_is_no_error_of_the_model() -> None:
    """A rollout is judged by errors; impatience is not one."""
    measure = Measure()
    for status in (200, CALLER_LEFT, 502):
        measure.ended("ada", status, 0.001, False, (10, 20), None)

    (_, tally), *_ = measure.callers.items()
    assert (tally.statuses, tally.disconnects) == ({200: 1, CALLER_LEFT: 1, 502: 1}, 1)
    assert tally.request_bytes == 30


def test_a_request_that_woke_a_model_is_a_cold_start() -> None:
    """How often, and for how long, somebody waited for a sleeping model."""
    measure = Measure()
    measure.ended("ada", 200, 3.0, True, (0, 0), None)
    measure.ended("ada", 200, 0.0, False, (0, 0), None)

    assert (sum(measure.cold.counts), measure.cold.sum_s) == (1, 3.0)


CHUNK = b'9f\r\ndata: {"choices":[{"delta":{"content":"data: x"}}]}\n\n\r\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":5,"total_tokens":12,"completion_tokens":7}}\n\n'
DONE = b"data: [DONE]\n\n"
STREAMS: dict[str, tuple[list[bytes], tuple[int, int], int]] = {
    "usage at its end": ([CHUNK, CHUNK, USAGE, DONE], (5, 7), 4),
    "no usage: its events": ([CHUNK, CHUNK + CHUNK, DONE], (0, 3), 4),
    "Anthropic's events": (
        [
            b'event: message_start\ndata: {"message":{"usage":{"input_tokens":25,"output_tokens":1}}}\n\n',
            b'event: content_block_delta\ndata: {"delta":{"text":"hi"}}\n\n',
            b'event: message_delta\ndata: {"delta":{},"usage":{"output_tokens":15}}\n\n',
        ],
        (25, 15),
        3,
    ),
    "a caller that left after the first": ([CHUNK], (0, 1), 1),
}


@pytest.mark.parametrize("case", STREAMS)
def test_tokens_of_a_stream(case: str) -> None:
    """Limits and prices go by tokens, and nobody parses a stream for them."""
    pieces, tokens, events = STREAMS[case]
    measure = Measure()
    stream = Stream(measure, began_at=10.0, is_events=True)
    for number, piece in enumerate(pieces):
        stream.passed(piece, 10.2 + number * 0.03)

    assert stream.tokens() == tokens
    assert stream.events == events
    assert measure.first_token.sum_s == pytest.approx(0.2)
    assert sum(measure.inter_token.counts) == events - 1
    assert measure.inter_token.sum_s == pytest.approx(0.03 * (len(pieces) - 1))


def test_tokens_of_an_answer_that_comes_whole() -> None:
    """Embeddings are long, and say their usage last."""
    stream = Stream(Measure(), 0.0, is_events=False)
    stream.passed(b'HTTP/1.1 200 OK\r\n\r\n{"data":[' + b"0.125," * 5000, 0.1)
    stream.passed(b'0.5],"usage":{"prompt_tokens": 812, "total_tokens": 812}}', 0.1)

    assert stream.tokens() == (812, 0)
