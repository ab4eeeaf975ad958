"""What does OpenAI's protocol ask, and what is the answer? Chat, completions, embeddings and the list of models.

Source: OpenAI's API reference (2025-11).
"""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from weyr.runtime.serve.desk import Desk, Given, Unserved, plain_body
from weyr.runtime.serve.infer import parsed
from weyr.runtime.serve.language import Embeddings, Generation
from weyr.runtime.serve.openai_ask import (
    AskedText,
    AskedVectors,
    Refused,
    read_chat,
    read_completion,
    read_embeddings,
)
from weyr.runtime.serve.shelf import Slot
from weyr.runtime.serve.talk import Talk, Text
from weyr.runtime.serve.tensor import Malformed
from weyr.wire.message import ENCODER, JSON, Request, Response, Streamed, answer
from weyr.wire.server import Answer

DONE = b"data: [DONE]\n\n"
TYPES = {400: "invalid_request_error", 404: "invalid_request_error", 405: "invalid_request_error"}


class OpenAi:
    """Answers below /v1 what OpenAI's clients ask."""

    def __init__(self, desk: Desk, talk: Talk) -> None:
        self._desk = desk
        self._talk = talk
        self._began = int(time.time())

    def __call__(self, request: Request, words: list[str]) -> Given | None:
        """Takes the words of the path after "v1". None where they are not of this protocol."""
        match words:
            case ["chat", "completions"]:
                return self._post(request, self._chat)
            case ["completions"]:
                return self._post(request, self._completion)
            case ["embeddings"]:
                return self._post(request, self._embeddings)
            case _:
                return None

    def card(self, slot: Slot) -> dict[str, object]:
        """A model in the list of models."""
        return {"id": slot.source.name, "object": "model", "created": self._began, "owned_by": "weyr"}

    def _post(self, request: Request, do: Callable[[Mapping[str, Any]], Any]) -> Given:
        if request.method != b"POST":
            return failure(405, "this takes POST only", headers=((b"allow", b"POST"),))
        return asyncio.ensure_future(self._told(request, do))

    async def _told(self, request: Request, do: Callable[[Mapping[str, Any]], Any]) -> Answer:
        try:
            return await do(parsed(memoryview(plain_body(request))))  # type: ignore[no-any-return]  # an Answer each
        except Refused as e:
            return failure(e.status, str(e), e.param, e.code)
        except Malformed as e:
            return failure(400, str(e))
        except Unserved as e:
            return failure(e.response.status, json.loads(e.response.body)["error"], headers=e.response.headers)
        except Exception as e:  # noqa: BLE001 - a model may raise anything; it must not end the server
            return failure(500, f"the model failed: {type(e).__name__}: {e}")

    async def _chat(self, plain: Mapping[str, Any]) -> Answer:
        return await self._generate(read_chat(plain), is_chat=True)

    async def _completion(self, plain: Mapping[str, Any]) -> Answer:
        return await self._generate(read_completion(plain), is_chat=False)

    async def _generate(self, asked: AskedText, is_chat: bool) -> Answer:
        slot = self._named(asked.model)
        generator = (await self._desk.loaded(slot)).generator
        if generator is None:
            raise Refused(f"{asked.model} does not generate text", "model", "unsupported_model")
        if is_chat and not generator.can_chat:
            raise Refused(f"{asked.model} has no chat template; ask /v1/completions", "model", "unsupported_model")
        begun = [each for prompt in asked.prompts for each in await self._talk.begin(slot, prompt, asked.samplings)]
        form = Form(is_chat, slot.source.name, int(time.time()))
        # Several answers to one prompt read it once.
        prompt_tokens = sum(each.prompt_tokens for each in begun[:: len(asked.samplings)])
        if asked.is_stream:
            return Streamed(self._stream(slot, begun, form, prompt_tokens, asked.with_usage))
        texts = await asyncio.gather(*(self._talk.whole(slot, each) for each in begun))
        return answer(form.whole(texts, prompt_tokens))

    async def _stream(
        self, slot: Slot, begun: list[Generation], form: "Form", prompt_tokens: int, with_usage: bool
    ) -> AsyncGenerator[bytes, None]:
        tokens = 0
        try:
            for index, generation in enumerate(begun):
                if form.is_chat:
                    yield form.piece(index, "", None, {"role": "assistant"})
                async with aclosing(self._talk.pieces(slot, generation)) as lists:
                    async for pieces in lists:
                        tokens += sum(piece.tokens for piece in pieces)
                        told = [form.piece(index, piece.text, None) for piece in pieces if piece.text]
                        told += [form.piece(index, "", piece.finish) for piece in pieces if piece.finish]
                        if told:
                            yield b"".join(told)
            if with_usage:
                yield form.usage(prompt_tokens, tokens)
            yield DONE
        except Exception as e:  # noqa: BLE001 - the head is sent, so that the error can only follow as a piece
            yield _event({"error": _error(500, f"the model failed: {type(e).__name__}: {e}")})

    async def _embeddings(self, plain: Mapping[str, Any]) -> Response:
        asked = read_embeddings(plain)
        slot = self._named(asked.model)
        embedder = (await self._desk.loaded(slot)).embedder
        if embedder is None:
            raise Refused(f"{asked.model} does not embed text", "model", "unsupported_model")
        if asked.dimensions not in (None, embedder.dimensions):
            raise Refused(f"{asked.model} has {embedder.dimensions} dimensions", "dimensions")
        given = await self._talk.embed(slot, asked.texts)
        # Thousands of vectors take a while to write down.
        return await asyncio.get_running_loop().run_in_executor(None, _told_vectors, asked, given, slot.source.name)

    def _named(self, name: str) -> Slot:
        """`NAME`, or `NAME@VERSION`."""
        slot = self._desk.shelf.find(*name.split("@", 1))
        if slot is None:
            known = ", ".join(self._desk.shelf.slots)
            raise Refused(f'model "{name}" is not served here; served: {known}', "model", "model_not_found", 404)
        return slot


def failure(
    status: int,
    message: str,
    param: str | None = None,
    code: str | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Response:
    """An error as OpenAI writes it."""
    return Response(status, ENCODER.encode({"error": _error(status, message, param, code)}).encode(), JSON, headers)


@dataclass(frozen=True, slots=True)
class Form:
    """How generated text is told: chat and completions differ in names only."""

    is_chat: bool
    model: str
    created: int
    id: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", f"{'chatcmpl' if self.is_chat else 'cmpl'}-{secrets.token_hex(12)}")

    def whole(self, texts: list[Text], prompt_tokens: int) -> dict[str, Any]:
        choices = [self._choice(index, text.text, text.finish, "message") for index, text in enumerate(texts)]
        tokens = sum(text.tokens for text in texts)
        return {**self._head(is_piece=False), "choices": choices, "usage": _usage(prompt_tokens, tokens)}

    def piece(self, index: int, text: str, finish: str | None, more: Mapping[str, str] | None = None) -> bytes:
        choice = self._choice(index, text, finish, "delta")
        if self.is_chat:
            choice["delta"] = {**(more or {}), **({} if finish else {"content": text})}
        return _event({**self._head(is_piece=True), "choices": [choice]})

    def usage(self, prompt_tokens: int, tokens: int) -> bytes:
        return _event({**self._head(is_piece=True), "choices": [], "usage": _usage(prompt_tokens, tokens)})

    def _head(self, is_piece: bool) -> dict[str, Any]:
        chat = "chat.completion.chunk" if is_piece else "chat.completion"
        object = chat if self.is_chat else "text_completion"
        return {"id": self.id, "object": object, "created": self.created, "model": self.model}

    def _choice(self, index: int, text: str, finish: str | None, word: str) -> dict[str, Any]:
        said = {word: {"role": "assistant", "content": text}} if self.is_chat else {"text": text}
        return {"index": index, **said, "logprobs": None, "finish_reason": finish}


def _usage(prompt_tokens: int, tokens: int) -> dict[str, int]:
    return {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens}


def _told_vectors(asked: AskedVectors, given: Embeddings, model: str) -> Response:
    vectors: list[Any] = given.vectors.tolist()
    if asked.is_base64:
        vectors = [base64.b64encode(vector.astype("<f4").tobytes()).decode() for vector in given.vectors]
    described = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
    usage = {"prompt_tokens": given.tokens, "total_tokens": given.tokens}
    return answer({"object": "list", "data": described, "model": model, "usage": usage})


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data: %b\n\n" % ENCODER.encode(value).encode()


def _error(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, str | None]:
    return {"message": message, "type": TYPES.get(status, "server_error"), "param": param, "code": code}
