"""Does the unmodified Anthropic client work on models of language that a replica serves?"""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from language_models import Parrot, hashes, parrot
from served_models import ask, served

from weyr.runtime.serve.model import Model


@pytest.fixture(scope="module")
def speaker() -> tuple[Model, Parrot]:
    return parrot()


@pytest.fixture(scope="module")
def port(speaker: tuple[Model, Parrot]) -> Iterator[int]:
    with served([speaker[0], hashes()]) as port:
        yield port


@pytest.fixture(scope="module")
def client(port: int) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{port}", auth_token="any", max_retries=0) as client:
        yield client


SAY: Any = {"model": "parrot", "system": "be brief", "messages": [{"role": "user", "content": "one two three"}]}


def test_a_conversation_is_answered(client: anthropic.Anthropic) -> None:
    """Text, why it ended, and the tokens that a bill is made of."""
    given = client.messages.create(**SAY, max_tokens=4)
    assert [block.text for block in given.content if block.type == "text"] == ["one two three one "]
    assert (given.stop_reason, given.stop_sequence, given.role, given.model) == (
        "max_tokens", None, "assistant", "parrot",
    )  # fmt: skip
    assert (given.usage.input_tokens, given.usage.output_tokens) == (3, 4)


def test_it_is_said_which_stop_ended_the_answer(client: anthropic.Anthropic) -> None:
    """A program that asks for several goes on by the one that came; the text itself is no part of the answer."""
    turns: Any = [{"role": "user", "content": [{"type": "text", "text": "one two "}, {"type": "text", "text": "end"}]}]
    given = client.messages.create(model="parrot", messages=turns, max_tokens=9, stop_sequences=["never", "end"])
    assert (given.stop_reason, given.stop_sequence) == ("stop_sequence", "end")
    assert [block.text for block in given.content if block.type == "text"] == ["one two "]


def test_a_stream_says_the_same_piece_by_piece(client: anthropic.Anthropic) -> None:
    """The client puts the events together to the message that it would have got whole."""
    with client.messages.stream(**SAY, max_tokens=4) as stream:
        texts = list(stream.text_stream)
        whole = stream.get_final_message()
    assert texts == ["one ", "two ", "three ", "one "]
    assert (whole.stop_reason, whole.usage.input_tokens, whole.usage.output_tokens) == ("max_tokens", 3, 4)


def test_a_failure_in_a_stream_is_an_error_event(client: anthropic.Anthropic) -> None:
    """The head is out by then; a caller must not take half a text for a whole one."""
    turns: Any = [{"role": "user", "content": "one explode"}]
    with (
        pytest.raises(anthropic.APIStatusError, match="exploded"),
        client.messages.stream(model="parrot", messages=turns, max_tokens=4) as stream,
    ):
        list(stream)


def test_tokens_are_counted_without_an_answer(client: anthropic.Anthropic, speaker: tuple[Model, Parrot]) -> None:
    """A caller that fits its prompt to the context pays nothing for it."""
    steps = speaker[1].steps
    assert client.messages.count_tokens(**SAY).input_tokens == 3
    assert speaker[1].steps == steps


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no length": ({"max_tokens": None}, 400, "max_tokens"),
    "a length of nothing": ({"max_tokens": 0}, 400, "max_tokens"),
    "tools": ({"tools": [{"name": "look", "input_schema": {"type": "object"}}]}, 400, "tools"),
    "the likeliest few": ({"top_k": 4}, 400, "top_k"),
    "thinking": ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, 400, "thinking"),
    "too hot": ({"temperature": 1.5}, 400, "temperature"),
    "a begun answer": ({"messages": [{"role": "assistant", "content": "I"}]}, 400, "messages"),
    "a picture": ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, 400, "messages.0.content"),
    "a strange role": ({"messages": [{"role": "system", "content": "x"}]}, 400, "messages.0.role"),
    "a stop that is no text": ({"stop_sequences": [1]}, 400, "stop"),
    "nobody": ({"model": "nobody"}, 404, "nobody"),
    "what only embeds": ({"model": "hashes"}, 400, "hashes"),
    "a prompt that fills the context": ({"messages": [{"role": "user", "content": "too long"}]}, 400, "context"),
    "what nobody knows": ({"speed": 3}, 400, "speed"),
    "nothing asked of it": ({"thinking": {"type": "disabled"}, "tools": [], "metadata": {"user_id": "a"}}, 200, ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_honoured_is_refused_by_its_name(port: int, case: str) -> None:
    """Never ignored: an answer without the tool that was asked for would be taken for the model's own choice."""
    fields, status, told = REFUSED[case]
    body = json.dumps({**SAY, "max_tokens": 4, **fields}).encode()
    given, text = ask(port, "/v1/messages", body)
    assert given == status, text
    if status != 200:
        error = json.loads(text)
        assert error["type"] == "error"
        assert error["error"]["type"] == ("not_found_error" if status == 404 else "invalid_request_error")
        assert told in error["error"]["message"]
