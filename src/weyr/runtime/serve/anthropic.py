"""What does Anthropic's messages protocol ask, and what is the answer? Whole, or as the events of a stream.

Source: Anthropic's API reference: messages, streaming and errors (2025-11).
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from weyr.runtime.serve.anthropic_ask import AskedMessage, read_messages
from weyr.runtime.serve.desk import Desk, Given, Unserved, plain_body
from weyr.runtime.serve.infer import parsed
from weyr.runtime.serve.language import Finish, Generation
from weyr.runtime.serve.openai_ask import Refused
from weyr.runtime.serve.shelf import Slot
from weyr.runtime.serve.talk import Talk
from weyr.runtime.serve.tensor import Malformed
from weyr.wire.message import ENCODER, JSON, Request, Response, Streamed, answer
from weyr.wire.server import Answer

TYPES = {404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error"}


class Anthropic:
    """Answers /v1/messages."""

    def __init__(self, desk: Desk, talk: Talk) -> None:
        self._desk = desk
        self._talk = talk

    def __call__(self, request: Request, words: list[str]) -> Given | None:
        """Takes the words of the path after "v1". None where they are not of this protocol."""
        if words not in (["messages"], ["messages", "count_tokens"]):
            return None
        if request.method != b"POST":
            return _failure(405, "this takes POST only", ((b"allow", b"POST"),))
        return asyncio.ensure_future(self._told(request, is_counted=len(words) > 1))

    async def _told(self, request: Request, is_counted: bool) -> Answer:
        try:
            asked = read_messages(parsed(memoryview(plain_body(request))), is_counted)
            slot = await self._slot(asked.model)
            (generation,) = await self._talk.begin(slot, asked.turns, (asked.sampling,))
            if is_counted:
                return answer({"input_tokens": generation.prompt_tokens})
            return await self._answered(slot, generation, asked)
        except Refused as e:
            return _failure(e.status, str(e))
        except Malformed as e:
            return _failure(400, str(e))
        except Unserved as e:
            return _failure(e.response.status, json.loads(e.response.body)["error"], e.response.headers)
        except Exception as e:  # noqa: BLE001 - a model may raise anything; it must not end the server
            return _failure(500, f"the model failed: {type(e).__name__}: {e}")

    async def _answered(self, slot: Slot, generation: Generation, asked: AskedMessage) -> Answer:
        head = {"id": f"msg_{secrets.token_hex(12)}", "type": "message", "role": "assistant", "model": asked.model}
        if asked.is_stream:
            return Streamed(self._stream(slot, generation, head))
        given = await self._talk.whole(slot, generation)
        content = [{"type": "text", "text": given.text}]
        usage = _usage(given.prompt_tokens, given.tokens)
        return answer({**head, "content": content, **_end(given.finish, given.stopped_by), "usage": usage})

    async def _stream(self, slot: Slot, generation: Generation, head: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        tokens, finish, stopped_by = 0, Finish.STOP, ""
        begun = {**head, "content": [], **_end(None, ""), "usage": _usage(generation.prompt_tokens, 0)}
        try:
            yield _event("message_start", message=begun) + _event(
                "content_block_start", index=0, content_block={"type": "text", "text": ""}
            )
            async with aclosing(self._talk.pieces(slot, generation)) as lists:
                async for pieces in lists:
                    tokens += sum(piece.tokens for piece in pieces)
                    if told := [_delta(piece.text) for piece in pieces if piece.text]:
                        yield b"".join(told)
                    finish, stopped_by = pieces[-1].finish or finish, pieces[-1].stopped_by
            usage = {"output_tokens": tokens}
            yield b"".join((
                _event("content_block_stop", index=0),
                _event("message_delta", delta=_end(finish, stopped_by), usage=usage),
                _event("message_stop"),
            ))  # fmt: skip
        except Exception as e:  # noqa: BLE001 - the head is sent, so that the error can only follow as an event
            yield _event("error", error=_error(500, f"the model failed: {type(e).__name__}: {e}"))

    async def _slot(self, name: str) -> Slot:
        """Of `NAME`, or `NAME@VERSION`, loaded. Raises: Refused, Unserved."""
        slot = self._desk.shelf.find(*name.split("@", 1))
        if slot is None:
            raise Refused(f"model: {name} is not served here; served: {', '.join(self._desk.shelf.slots)}", status=404)
        generator = (await self._desk.loaded(slot)).generator
        if generator is None or not generator.can_chat:
            raise Refused(f"model: {name} does not answer conversations")
        return slot


def _end(finish: Finish | None, stopped_by: str) -> dict[str, str | None]:
    """Why a text ends, in Anthropic's words; None while it does not."""
    reason = None if finish is None else "max_tokens" if finish is Finish.LENGTH else "end_turn"
    return {"stop_reason": "stop_sequence" if stopped_by else reason, "stop_sequence": stopped_by or None}


def _usage(prompt_tokens: int, tokens: int) -> dict[str, int]:
    return {"input_tokens": prompt_tokens, "output_tokens": tokens}


def _event(name: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), ENCODER.encode({"type": name, **fields}).encode())


def _delta(text: str) -> bytes:
    return _event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def _error(status: int, message: str) -> dict[str, str]:
    return {"type": TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error"), "message": message}


def _failure(status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    body = {"type": "error", "error": _error(status, message)}
    return Response(status, ENCODER.encode(body).encode(), JSON, headers)
