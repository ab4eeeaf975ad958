"""Two answers are alike when they say the same: what only names them is no difference."""

import json
from typing import Any

import pytest

from weyr.gateway.inference.likeness import Answer, Likeness


def chat(text: str, id: str = "chatcmpl-1", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": id,
        "object": "chat.completion",
        "created": 1,
        "model": "a",
        "choices": [{"message": message}],
        **more,
    }


def events(*pieces: str, id: str = "1", role: bool = True) -> bytes:
    chunks = [{"id": id, "choices": [{"index": 0, "delta": {"role": "assistant"}}]}] if role else []
    chunks += [{"id": id, "choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    chunks += [{"id": id, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
    return b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"


V2 = {"model_name": "m", "model_version": "1", "id": "x", "outputs": [{"name": "y", "data": [1.0]}]}
CASES: dict[str, tuple[Any, Any, tuple[str, ...], bool]] = {
    # one answer, the other, what is ignored, whether they are alike
    "OpenAI's id, time and model": (chat("hi"), chat("hi", "chatcmpl-2", created=2, model="b"), (), True),
    "OpenAI's fingerprint on one side": (chat("hi"), chat("hi", system_fingerprint="fp"), (), True),
    "another text": (chat("hi"), chat("ho"), (), False),
    "another usage": (chat("hi", usage={"total": 1}), chat("hi", usage={"total": 2}), (), False),
    "a usage that is ignored": (chat("hi", usage={"total": 1}), chat("hi", usage={"total": 2}), ("usage",), True),
    "an element that is ignored": ({"y": [1, 2]}, {"y": [1, 3]}, ("y[1]",), True),
    "every element's field": ({"y": [{"a": 1, "b": 2}]}, {"y": [{"a": 1, "b": 3}]}, ("y[*].b",), True),
    "the version of a v2 answer": (V2, {**V2, "model_version": "2", "id": "y"}, (), True),
    "the data of a v2 answer": (V2, {**V2, "outputs": [{"name": "y", "data": [2.0]}]}, (), False),
    "an id that is the answer": ({"id": 1}, {"id": 2}, (), False),
    "a stream cut otherwise": (events("one ", "two"), events("one two", id="2", role=False), (), True),
    "a stream that says something else": (events("one"), events("two"), (), False),
    "a stream that ends earlier": (events("one", "two"), events("one"), (), False),
    "what is no JSON": (b"one", b"two", (), False),
    "events that are no JSON": (b"data: one\n\n", b"data: two\n\n", (), False),
}


@pytest.mark.parametrize("case", CASES)
def test_answers_are_alike_when_they_say_the_same(case: str) -> None:
    """Else each answer of a language model would differ from its shadow's, and the figure would say nothing."""
    one, other, ignore, is_alike = CASES[case]
    answers = [
        Answer(200, body if isinstance(body, bytes) else json.dumps(body).encode(), 0.1) for body in (one, other)
    ]

    assert Likeness.of(0.0, ignore).holds(answers[0], answers[1]) is is_alike
    assert not Likeness.of(0.0, ignore).holds(answers[0], answers[1]._replace(status=500))
