"""How do pieces that a thread computes reach the loop? As they come, several at once where the loop was busy.

Who stops listening ends the computing: before the next piece, or at once where it has not begun.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


async def fed(calls: ThreadPoolExecutor, start: Callable[[], Iterator[T]]) -> AsyncGenerator[list[T], None]:
    """What `start` gives, iterated in one of the threads; each list holds at least one piece.

    Raises: what the iterator raises, after all pieces before it.
    """
    loop = asyncio.get_running_loop()
    arrived: list[T] = []
    failed: list[Exception] = []
    has_news, is_left = asyncio.Event(), threading.Event()
    is_over = False

    def put(piece: T) -> None:
        arrived.append(piece)
        has_news.set()

    def end() -> None:
        nonlocal is_over
        is_over = True
        has_news.set()

    def run() -> None:
        pieces: Iterator[T] | None = None
        try:
            pieces = start()
            for piece in pieces:
                loop.call_soon_threadsafe(put, piece)
                if is_left.is_set():
                    break
        except Exception as e:  # noqa: BLE001 - a model's own code; it is raised where the pieces are awaited
            failed.append(e)
        finally:
            if close := getattr(pieces, "close", None):
                close()
            loop.call_soon_threadsafe(end)

    running = loop.run_in_executor(calls, run)
    try:
        while arrived or not is_over:
            if not arrived:
                has_news.clear()
                await has_news.wait()
                continue
            batch = arrived.copy()
            arrived.clear()
            yield batch
        if failed:
            raise failed[0]
    finally:
        is_left.set()
        running.cancel()
