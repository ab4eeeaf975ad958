"""What does one instance do? It reads events from its connection, runs the function, and sends back what came of it."""

import os
import socket
import sys
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

from weyr.runtime.function.calls import Calls
from weyr.runtime.function.context import Context
from weyr.runtime.function.letters import LETTER, left
from weyr.runtime.function.lines import LogLines, tag
from weyr.wire.frames import Frames, frame

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

READ_BYTES = 256 * 2**10
LETTER_HEAD_MAX = 2**16


def serve(line: socket.socket, calls: Calls, concurrency: int, payload_max: int) -> None:
    """Serves until the other side closes the connection."""
    sys.stdout, sys.stderr = LogLines(1), LogLines(2)
    lock = Lock()

    def send(header: dict[str, Any], body: bytes = b"") -> None:
        with lock:
            line.sendall(frame(header, body))

    send({"ready": os.getpid()})
    if calls.is_async:
        _serve_async(line, calls, payload_max, send)
        return
    threads = _threads(concurrency) if concurrency > 1 else None
    frames = Frames(_frame_max(payload_max))
    while data := line.recv(READ_BYTES):
        for header, body in frames.feed(data):
            if "id" not in header:
                continue
            if threads is None:
                # In the main thread, as programs expect of a function that has the process to itself.
                _answer(calls, header, body, send)
            else:
                threads.submit(_answer, calls, header, body, send)


def _context(header: dict[str, Any]) -> Context:
    """What a function is told beside the event; of a letter nothing but its name."""
    return Context({"id": header["id"]} if _is_letter(header) else header)


def _frame_max(payload_max: int) -> int:
    """A letter has an event in it, written as JSON: six characters for a byte at the worst."""
    return payload_max * 6 + LETTER_HEAD_MAX


def _is_letter(header: dict[str, Any]) -> bool:
    return header.get("trigger") == LETTER


def _threads(count: int) -> "ThreadPoolExecutor":
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(count)


def _answer(calls: Calls, header: dict[str, Any], body: bytes, send: Callable[..., None]) -> None:
    context = _context(header)
    with tag(context.request_id):
        answer, result = left(header["request"], body) if _is_letter(header) else calls.call(context, body)
        sys.stdout.flush()
        sys.stderr.flush()
    send({"id": context.request_id, **answer}, result)


def _serve_async(line: socket.socket, calls: Calls, payload_max: int, send: Callable[..., None]) -> None:
    import asyncio

    async def one(header: dict[str, Any], body: bytes) -> None:
        context = _context(header)
        with tag(context.request_id):
            if _is_letter(header):
                answer, result = left(header["request"], body)
            else:
                answer, result = await calls.call_async(context, body)
            sys.stdout.flush()
        await loop.sock_sendall(line, frame({"id": context.request_id, **answer}, result))

    async def all_of_them() -> None:
        frames, running = Frames(_frame_max(payload_max)), set()
        while data := await loop.sock_recv(line, READ_BYTES):
            for header, body in frames.feed(data):
                if "id" in header:
                    task = asyncio.create_task(one(header, body))
                    running.add(task)
                    task.add_done_callback(running.discard)

    line.setblocking(False)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(all_of_them())
