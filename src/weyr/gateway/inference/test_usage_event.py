"""A caller who did not ask for a stream's usage reads no event of it, however the stream is cut."""

import json

from hypothesis import given
from hypothesis import strategies as st

from weyr.gateway.inference.usage_event import UsageEvents, is_unasked

WORDS = b'data: {"choices": [{"delta": {"content": "\\"choices\\": [] one"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}\n\n'
DONE = b"data: [DONE]\n\n"
STREAM = b"HTTP/1.1 200 OK\r\n\r\n47\r\n" + WORDS + b"\r\n4d\r\n" + USAGE + b"\r\n" + DONE


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_only_the_usage_becomes_a_comment_and_no_byte_is_lost(cuts: list[int]) -> None:
    """Frames count bytes, and whoever reads the usage to bill it still finds it."""
    events = UsageEvents()
    ends = sorted({*cuts, len(STREAM)})
    passed = b"".join(events.feed(STREAM[a:b]) for a, b in zip([0, *ends], ends, strict=False)) + events.rest()

    assert passed == STREAM.replace(b"data:" + USAGE[5:], b":    " + USAGE[5:])
    assert len(passed) == len(STREAM)


def test_words_pass_at_once_and_half_an_event_waits() -> None:
    """Nobody waits for a token that is there; half an event is of no use to anybody."""
    events = UsageEvents()

    assert events.feed(WORDS + USAGE[:20]) == WORDS
    assert events.feed(USAGE[20:]).startswith(b":    ")
    assert events.feed(DONE[:-2]) == DONE[:-2], "what may be the end is not held back"


def test_who_asks_for_the_usage_gets_it() -> None:
    """As OpenAI's protocol has it: `stream_options.include_usage`."""
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    for body, is_hidden in ((asked, False), ({"stream": True}, True), ({}, False), ([], False)):
        assert is_unasked(json.dumps(body).encode()) is is_hidden
    assert not is_unasked(b"no JSON")
