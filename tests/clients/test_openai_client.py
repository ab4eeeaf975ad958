"""Does the unmodified OpenAI client work on models of language that a replica serves?"""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from inference_plane import until
from language_models import Parrot, hashes, parrot, vector
from served_models import Identity, ask, served

from weyr.runtime.serve.model import Model


@pytest.fixture(scope="module")
def speaker() -> tuple[Model, Parrot]:
    return parrot()


@pytest.fixture(scope="module")
def port(speaker: tuple[Model, Parrot]) -> Iterator[int]:
    with served([speaker[0], hashes(), Model("numbers", "1", Identity())]) as port:
        yield port


@pytest.fixture(scope="module")
def client(port: int) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="any", max_retries=0) as client:
        yield client


SAY: Any = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "one two three"}]


def test_a_conversation_is_answered(client: openai.OpenAI) -> None:
    """Text, why it ended, and the tokens that a bill is made of."""
    given = client.chat.completions.create(model="parrot", messages=SAY, max_tokens=4)
    assert given.choices[0].message.content == "one two three one "
    assert given.choices[0].finish_reason == "length"
    assert given.usage is not None
    assert (given.usage.prompt_tokens, given.usage.completion_tokens, given.usage.total_tokens) == (3, 4, 7)
    assert (given.object, given.model) == ("chat.completion", "parrot")


def test_a_stop_text_ends_the_answer(client: openai.OpenAI) -> None:
    """It is no part of it."""
    given = client.chat.completions.create(model="parrot", messages=SAY, max_completion_tokens=9, stop=["three"])
    assert given.choices[0].message.content == "one two "
    assert given.choices[0].finish_reason == "stop"


def test_a_stream_says_the_same_piece_by_piece(client: openai.OpenAI) -> None:
    """The role first, the reason last, and the usage after that where it is asked for."""
    chunks = list(
        client.chat.completions.create(
            model="parrot", messages=SAY, max_tokens=4, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two three one "
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (3, 4)
    assert len({chunk.id for chunk in chunks}) == 1


def test_several_answers_to_several_prompts(client: openai.OpenAI) -> None:
    """`n` for each prompt, in the order of the prompts; streamed ones say which they belong to."""
    given = client.completions.create(model="parrot", prompt=["a b", "c"], n=2, max_tokens=2)
    assert [choice.text for choice in given.choices] == ["a b ", "a b ", "c c ", "c c "]
    assert [choice.index for choice in given.choices] == [0, 1, 2, 3]
    assert given.usage is not None
    assert (given.usage.prompt_tokens, given.usage.completion_tokens) == (3, 8)
    texts = dict.fromkeys(range(2), "")
    for chunk in client.completions.create(model="parrot", prompt="x", n=2, max_tokens=3, stream=True):
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert texts == {0: "x x x ", 1: "x x x "}


def test_texts_become_vectors(client: openai.OpenAI) -> None:
    """As base64, which the client asks for by itself, and as numbers."""
    given = client.embeddings.create(model="hashes", input=["good morning", "night"])
    assert np.allclose([item.embedding for item in given.data], [vector("good morning"), vector("night")])
    assert given.usage.prompt_tokens == 3
    plain = client.embeddings.create(model="hashes", input="night", encoding_format="float", dimensions=8)
    assert np.allclose(plain.data[0].embedding, vector("night"))


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    """Tools fill their menus from it; the same address answers the V1 protocol."""
    assert [model.id for model in client.models.list()] == ["parrot", "hashes", "numbers"]
    assert client.models.retrieve("hashes").owned_by == "weyr"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


CHAT: dict[str, Any] = {"model": "parrot", "messages": SAY}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "log probabilities": ({"logprobs": True}, "logprobs"),
    "tools": ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
    "a penalty": ({"frequency_penalty": 0.5}, "frequency_penalty"),
    "a format": ({"response_format": {"type": "json_object"}}, "response_format"),
    "what nobody knows": ({"extra_body": {"min_p": 0.1}}, "min_p"),
    "no tokens": ({"max_tokens": 0}, "max_tokens"),
    "heat": ({"temperature": 3}, "temperature"),
    "too many answers": ({"n": 1000}, "n"),
    "a picture": ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
                  "messages[0].content[0]"),
    "a role that nobody has": ({"messages": [{"role": "ghost", "content": "x"}]}, "messages[0].role"),
    "no turn": ({"messages": []}, "messages"),
    "options of a stream that is none": ({"stream_options": {"include_usage": True}}, "stream_options"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_honoured_is_refused_by_name(client: openai.OpenAI, case: str) -> None:
    """An answer that ignored it would look like a success."""
    more, param = REFUSED[case]
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**{**CHAT, **more})
    assert raised.value.param == param
    assert raised.value.type == "invalid_request_error"


def test_errors_are_the_clients_own_classes(client: openai.OpenAI) -> None:
    """Code that catches them goes on working."""
    with pytest.raises(openai.NotFoundError, match="not served here") as raised:
        client.chat.completions.create(model="nobody", messages=SAY)
    assert raised.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="does not generate text"):
        client.chat.completions.create(model="numbers", messages=SAY)
    with pytest.raises(openai.BadRequestError, match="fills the context"):
        client.completions.create(model="parrot", prompt="too long")
    with pytest.raises(openai.BadRequestError, match="100 tokens"):
        client.embeddings.create(model="hashes", input="a " * 101)
    with pytest.raises(openai.InternalServerError, match="it exploded"):
        client.completions.create(model="parrot", prompt="explode")


def test_an_error_in_a_stream_is_an_error(client: openai.OpenAI) -> None:
    """Half an answer must not look like a whole one."""
    with pytest.raises(openai.APIError, match="it exploded"):
        list(client.completions.create(model="parrot", prompt="one explode", max_tokens=5, stream=True))


def test_who_leaves_ends_the_computing(client: openai.OpenAI, speaker: tuple[Model, Parrot]) -> None:
    """A closed browser tab costs no more tokens."""
    model = speaker[1]
    before = model.steps
    model.pace_s = 0.02
    stream = client.completions.create(model="parrot", prompt="x", max_tokens=900, stream=True)
    next(iter(stream))
    stream.close()
    until(lambda: model.under_way == 0, "the model stops")
    model.pace_s = 0.0
    assert model.steps - before < 900


def test_more_callers_than_threads_wait_their_turn(port: int) -> None:
    """Each gets its own answer, in whatever order they are computed."""

    async def told() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="any", max_retries=0) as client:
            made = [client.completions.create(model="parrot", prompt=f"w{n}", max_tokens=3) for n in range(40)]
            return [given.choices[0].text for given in await asyncio.gather(*made)]

    assert asyncio.run(told()) == [f"w{n} w{n} w{n} " for n in range(40)]


def test_generated_tokens_are_counted(port: int, client: openai.OpenAI) -> None:
    """Throughput and price are made of them."""

    def tokens() -> float:
        line = 'weyr_replica_generated_tokens_total{model="parrot",version="1"} '
        text = ask(port, "/metrics")[1].decode()
        return next(float(found.removeprefix(line)) for found in text.splitlines() if found.startswith(line))

    before = tokens()
    client.completions.create(model="parrot", prompt="x", max_tokens=7)
    assert tokens() - before == 7


def test_a_body_that_is_no_request_is_a_400_in_openais_form(port: int) -> None:
    """Whatever it is; the server goes on."""
    for body in (b"", b"[]", b"{", b'{"model": 1}', b"\xff", b'{"messages": ' + b"[" * 100_000):
        for path in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"):
            status, given = ask(port, path, body)
            assert status == 400, given
            assert b'"type":"invalid_request_error"' in given
