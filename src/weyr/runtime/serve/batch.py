"""When is a request computed, and with which others? As soon as a thread is free, with all that wait by then.

Nothing is held back to make a batch larger: requests that came in one turn of the loop, or while the threads were
busy, are computed in one call. At one request at a time this costs nothing, at many it saves most of the calls.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weyr.runtime.serve.model import Model
from weyr.wire.message import Response, refusal

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

    Outputs = Mapping[str, Array]

ROWS_MAX = 512
QUEUE_MAX = 2048


@dataclass(eq=False, slots=True)
class _Item:
    """One request: checked inputs, the outputs to compute, and how its answer is written."""

    inputs: "Mapping[str, Array]"
    outputs: tuple[str, ...]
    write: "Callable[[Outputs], Response]"
    future: "asyncio.Future[Response]"
    rows: int
    kind: object


@dataclass(slots=True)
class Counts:
    """What was computed so far."""

    calls: int = 0
    rows: int = 0
    batched: int = 0
    failures: int = 0


class Batcher:
    """The threads that compute, and the queue before them.

    Takes: `threads`, how many calls of the model run at once.
    Promises: each caller gets exactly the rows it sent; what fails with others is tried again alone, so nobody
    gets an error for somebody else's input.
    """

    def __init__(self, model: Model, threads: int) -> None:
        self.counts = Counts()
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._free = threads
        self._queue: deque[_Item] = deque()
        self._is_flushing = False

    def submit(
        self, inputs: "Mapping[str, Array]", outputs: tuple[str, ...], write: "Callable[[Outputs], Response]"
    ) -> Response | asyncio.Future[Response]:
        """Takes `write`, called in the thread. A full queue answers 503 at once."""
        if len(self._queue) >= QUEUE_MAX:
            return refusal(503, f"{QUEUE_MAX} requests wait already", (b"retry-after", b"1"))
        rows, kind = self._rows(inputs, outputs)
        item = _Item(inputs, outputs, write, self._loop.create_future(), rows, kind)
        self._queue.append(item)
        if not self._is_flushing and self._free:
            self._is_flushing = True
            self._loop.call_soon(self._flush)
        return item.future

    def _rows(self, inputs: "Mapping[str, Array]", outputs: tuple[str, ...]) -> tuple[int, object]:
        """How many rows, and what must be equal for two requests to be computed together; None is like no other."""
        sizes = {array.shape[0] if array.ndim else 0 for array in inputs.values()}
        predictor = self._model.predictor
        if not predictor.is_rowwise or len(sizes) != 1 or any(spec.shape[:1] != (-1,) for spec in predictor.inputs):
            return max(sizes), None
        return sizes.pop(), (outputs, *(array.shape[1:] for array in inputs.values()))

    def _flush(self) -> None:
        self._is_flushing = False
        while self._free and (items := self._next()):
            self._free -= 1
            self._pool.submit(self._work, items)

    def _next(self) -> list[_Item]:
        """The first that waits, and those behind it that can go with it."""
        items: list[_Item] = []
        rows = 0
        while self._queue:
            item = self._queue[0]
            is_fitting = not items or (item.kind == items[0].kind is not None and rows + item.rows <= ROWS_MAX)
            if not item.future.cancelled() and not is_fitting:
                break
            self._queue.popleft()
            if not item.future.cancelled():
                items.append(item)
                rows += item.rows
        return items

    def _work(self, items: list[_Item]) -> None:
        """In a thread: computes, and hands the answers to the loop."""
        responses = self._computed(items)
        self._loop.call_soon_threadsafe(self._done, items, responses)

    def _done(self, items: list[_Item], responses: list[Response]) -> None:
        self._free += 1
        self.counts.calls += 1
        self.counts.rows += sum(item.rows for item in items)
        self.counts.batched += len(items) > 1
        for item, response in zip(items, responses, strict=True):
            self.counts.failures += response.status >= 500
            if not item.future.cancelled():
                item.future.set_result(response)
        self._flush()

    def _computed(self, items: list[_Item]) -> list[Response]:
        if len(items) > 1:
            together = self._together(items)
            if together is not None:
                return together
        return [self._alone(item) for item in items]

    def _together(self, items: list[_Item]) -> list[Response] | None:
        """None where the rows cannot be computed as one, for whatever reason."""
        import numpy as np

        responses: list[Response] = []
        at, rows = 0, sum(item.rows for item in items)
        try:
            joined = {name: np.concatenate([item.inputs[name] for item in items]) for name in items[0].inputs}
            outputs = self._model.predictor.predict(joined, items[0].outputs)
            if any(array.shape[:1] != (rows,) for array in outputs.values()):
                return None
            for item in items:
                responses.append(item.write({name: array[at : at + item.rows] for name, array in outputs.items()}))
                at += item.rows
        except Exception:  # noqa: BLE001 - a model may raise anything; alone, each gets its own answer
            return None
        return responses

    def _alone(self, item: _Item) -> Response:
        try:
            return item.write(self._model.predictor.predict(item.inputs, item.outputs))
        except (ValueError, TypeError) as e:
            # Names, shapes and datatypes were checked before, so what is left to dislike is the values.
            return refusal(400, f"the model does not take this input: {e}")
        except Exception as e:  # noqa: BLE001 - a model may raise anything; it must not end the server
            return refusal(500, f"the model failed: {type(e).__name__}: {e}")
