"""A server that looks like one with a language model, for load tests: OpenAI's chat with a GPU's times and no GPU.

    uvicorn --app-dir examples/llm-shaped server:app --port $PORT

WORDS of the answer mean nothing; when they come does: see shape.py. The same prompt and SEED give the same answer. From
the environment: SLOTS (64) sequences at once, SEED (0), SPEED (1) times as fast, LOAD_S (0) until it is ready.
Metrics have vLLM's names.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from shape import Asked, Batch, length_of, tokens_of, word

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
SLOTS, SEED = int(os.environ.get("SLOTS", "64")), int(os.environ.get("SEED", "0"))
SPEED, LOAD_S = float(os.environ.get("SPEED", "1")), float(os.environ.get("LOAD_S", "0"))
MODEL = os.environ.get("MODEL", "llm-shaped")
LENGTH_MAX = 4096
STARTED = time.monotonic()


class Engine:
    """Steps the batch in real time, and hands each request its tokens as they are made."""

    def __init__(self) -> None:
        self.batch = Batch(slots=SLOTS)
        self._heard: dict[Asked, asyncio.Queue[int]] = {}
        self._stepping: asyncio.Task[None] | None = None

    def ask(self, asked: Asked) -> asyncio.Queue[int]:
        queue = self._heard[asked] = asyncio.Queue()
        self.batch.add(asked)
        if self._stepping is None or self._stepping.done():
            self._stepping = asyncio.create_task(self._step())
        return queue

    def leave(self, asked: Asked) -> None:
        self._heard.pop(asked, None)
        self.batch.drop(asked)

    async def _step(self) -> None:
        due = time.monotonic()
        while self.batch.running or self.batch.waiting:
            took_s, emitting = self.batch.step()
            due += took_s / SPEED
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            for asked in emitting:
                if queue := self._heard.get(asked):
                    queue.put_nowait(asked.written)


ENGINE = Engine()


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "http":
        match scope["method"], scope["path"]:
            case "GET", "/health":
                is_loaded = time.monotonic() - STARTED >= LOAD_S
                await _answer(send, 200 if is_loaded else 503, {"status": "ok" if is_loaded else "loading"})
            case "GET", "/v1/models":
                await _answer(send, 200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
            case "GET", "/metrics":
                await _send(send, 200, _metrics().encode(), b"text/plain; version=0.0.4")
            case "POST", "/v1/chat/completions":
                await _chat(receive, send)
            case _:
                await _answer(send, 404, {"error": {"message": "there is nothing here", "type": "not_found"}})


async def _chat(receive: Receive, send: Send) -> None:
    try:
        body = json.loads(await _body(receive))
        text = "\n".join(f"{message['role']}: {message['content']}" for message in body["messages"])
        most = int(body.get("max_completion_tokens") or body.get("max_tokens") or LENGTH_MAX)
    except (ValueError, KeyError, TypeError) as e:
        await _answer(send, 400, {"error": {"message": f"not a chat: {e}", "type": "invalid_request_error"}})
        return
    prompt, seed = tokens_of(text), int(body.get("seed") or SEED)
    asked = Asked(prompt, length_of(prompt, most, seed))
    queue, gone = ENGINE.ask(asked), asyncio.create_task(_gone(receive))
    try:
        await _told(send, body, asked, queue, gone, seed, most)
    finally:
        gone.cancel()
        ENGINE.leave(asked)


async def _told(
    send: Send, body: dict[str, Any], asked: Asked, queue: asyncio.Queue[int], gone: asyncio.Task[None], seed: int,
    most: int,
) -> None:  # fmt: skip
    """Sends the tokens as they come, or all at the end; nothing more once the caller is gone."""
    streams, words = bool(body.get("stream")), []
    id, name = f"chatcmpl-{seed}-{len(asked.prompt)}", body.get("model", MODEL)
    head = {"id": id, "model": name, "created": int(time.time())}
    if streams:
        await _start(send, 200, b"text/event-stream")
    for _ in range(asked.length):
        coming = asyncio.ensure_future(queue.get())
        await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            coming.cancel()
            return
        words.append(word(asked.prompt, coming.result(), seed))
        if streams:
            delta = {"role": "assistant", "content": f"{words[-1]} "}
            await _event(send, {**head, "object": "chat.completion.chunk", "choices": [_choice(delta=delta)]})
    reason = "length" if asked.length == most else "stop"
    usage = {
        "prompt_tokens": len(asked.prompt), "completion_tokens": asked.length,
        "total_tokens": len(asked.prompt) + asked.length, "prompt_tokens_details": {"cached_tokens": asked.cached},
    }  # fmt: skip
    if not streams:
        message = {"role": "assistant", "content": " ".join(words)}
        choice = _choice(message=message, finish_reason=reason)
        await _answer(send, 200, {**head, "object": "chat.completion", "choices": [choice], "usage": usage})
        return
    head["object"] = "chat.completion.chunk"
    await _event(send, {**head, "choices": [_choice(delta={}, finish_reason=reason)]})
    if (body.get("stream_options") or {}).get("include_usage"):
        await _event(send, {**head, "choices": [], "usage": usage})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


def _choice(finish_reason: str | None = None, **parts: object) -> dict[str, object]:
    return {"index": 0, **parts, "finish_reason": finish_reason}


def _metrics() -> str:
    batch = ENGINE.batch
    values = {
        "vllm:num_requests_running": len(batch.running),
        "vllm:num_requests_waiting": len(batch.waiting),
        "vllm:prompt_tokens_total": batch.prompt_tokens,
        "vllm:generation_tokens_total": batch.written_tokens,
    }
    return "".join(f'{name}{{model_name="{MODEL}"}} {value}\n' for name, value in values.items())


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send, status: int, value: object) -> None:
    await _send(send, status, json.dumps(value).encode(), b"application/json")


async def _send(send: Send, status: int, body: bytes, kind: bytes) -> None:
    await _start(send, status, kind)
    await send({"type": "http.response.body", "body": body})


async def _start(send: Send, status: int, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})


async def _event(send: Send, value: object) -> None:
    text = b"data: " + json.dumps(value).encode() + b"\n\n"
    await send({"type": "http.response.body", "body": text, "more_body": True})
