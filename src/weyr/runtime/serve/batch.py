"""When is a request computed, and with which others? As soon as a thread is free, with all that wait by then.

Nothing is held back to make a batch larger, unless a delay is asked for: requests that came in one turn of the loop,
or while the threads were busy, are computed in one call. At one request at a time this costs nothing, at many it saves
most of the calls. A model whose calls are shorter than the hop to a thread and back is called on the loop itself.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from weyr.runtime.serve.counts import Counts
from weyr.runtime.serve.join import joined, likeness, open_axes, parted, rows_of
from weyr.runtime.serve.model import Model, Predictor
from weyr.runtime.serve.tracing import CURRENT, Traced
from weyr.wire.message import Response, refusal

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

    Outputs = Mapping[str, Array]

T = TypeVar("T")

QUICK_S = 0.0003
"""A call up to this long is better made on the loop: a hop to a thread and back costs 0.05 to 0.1 ms, and under load
the thread and the loop wait for each other's turn at the interpreter, up to 5 ms. Reading and writing do not count:
they need the interpreter, wherever they are done."""

QUICK_AFTER = 4
"""So many quick calls in a row make a model quick. Two slow ones in a row on the loop ask for `QUICK_AGAIN` of them;
one alone may be the kernel's doing, which gave the core to somebody else."""
QUICK_AGAIN = 64
QUICK_ELEMENTS_MAX = 16_384


@dataclass(frozen=True, slots=True)
class Batching:
    """How requests to one model are put together.

    `rows_max` rows are computed in one call; a request alone may have more. A request waits up to `delay_s` for
    others, or until the batch is full; 0 waits for nothing. `pad` makes open axes equally long with this value; None
    joins requests of equal shapes only. `threads` calls run at once, `queue_max` requests wait at most. What is never
    batched, generations and calls of programs, runs `streams` at once.
    """

    rows_max: int = 512
    delay_s: float = 0.0
    pad: float | None = None
    threads: int = 2
    queue_max: int = 2048
    streams: int = 16


@runtime_checkable
class TakesRagged(Protocol):
    """A predictor that computes several requests of different shapes in one call, each as it is."""

    def predict_many(
        self, requests: "Sequence[Mapping[str, Array]]", outputs: tuple[str, ...]
    ) -> "Sequence[Mapping[str, Array]]":
        """Gives one answer for each request, in their order. Raises: as `Predictor.predict`."""
        ...


def unhonoured(predictor: Predictor, batching: Batching) -> str:
    """Why the model cannot be batched in the way that was asked for; "" where it can."""
    is_ragged = isinstance(predictor, TakesRagged)
    is_joined = predictor.is_rowwise and all(spec.shape[:1] == (-1,) for spec in predictor.inputs)
    asked = ["pad"] * (batching.pad is not None) + ["delay"] * (batching.delay_s > 0)
    if asked and not is_ragged and not is_joined:
        return f"it is called once for each request, so that {' and '.join(asked)} would change nothing; leave it out"
    if batching.pad is None:
        return ""
    if is_ragged:
        return "it takes requests of different lengths as they are, so that pad would change nothing; leave it out"
    if not open_axes([spec for spec in predictor.inputs if spec.datatype != "BYTES"]):
        return "none of its inputs has an open axis beside the rows, so that pad would change nothing; leave it out"
    return ""


@dataclass(eq=False, slots=True)
class _Item:
    """One request: checked inputs, the outputs to compute, and how its answer is written."""

    inputs: "Mapping[str, Array]"
    outputs: tuple[str, ...]
    write: "Callable[[Outputs], Response]"
    future: "asyncio.Future[Response]"
    rows: int
    kind: object
    since: float
    until: float | None
    traced: Traced | None = None
    left_at: float = 0.0
    """When it went into its batch."""


@dataclass(frozen=True, slots=True)
class _Computed:
    """Answers in the order of their items, and what the calls of the model took, without writing the answers."""

    responses: list[Response]
    calls: int
    took_s: float


class _Stopwatch:
    """Time spent in the model."""

    __slots__ = ("calls", "took_s")

    def __init__(self) -> None:
        self.calls = 0
        self.took_s = 0.0

    def timed(self, call: "Callable[[], T]") -> "T":
        began = time.perf_counter()
        try:
            return call()
        finally:
            self.calls += 1
            self.took_s += time.perf_counter() - began


class Batcher:
    """The threads that compute, and the queue before them.

    Promises: each caller gets exactly the rows it sent; what fails with others is tried again alone, so nobody
    gets an error for somebody else's input.
    """

    def __init__(self, model: Model, batching: Batching | None = None) -> None:
        self.batching = batching or Batching()
        self.counts = Counts()
        self._model = model
        predictor = model.predictor
        self._ragged = predictor if isinstance(predictor, TakesRagged) else None
        self._pad = self.batching.pad
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(self.batching.threads, thread_name_prefix="predict")
        self._free = self.batching.threads
        self._queue: deque[_Item] = deque()
        self._waiting_rows = 0
        self._flushing: asyncio.Handle | None = None
        self._is_timed = False
        self._quick = 0
        self._was_slow = False

    @property
    def is_idle(self) -> bool:
        return not self._queue and self._free == self.batching.threads

    @property
    def waiting(self) -> int:
        """Requests that no thread is at yet."""
        return len(self._queue)

    def close(self) -> None:
        """Takes no more requests. Only for a batcher that is idle."""
        self._pool.shutdown(wait=False)

    def submit(
        self,
        inputs: "Mapping[str, Array]",
        outputs: tuple[str, ...],
        write: "Callable[[Outputs], Response]",
        timeout_s: float | None = None,
    ) -> Response | asyncio.Future[Response]:
        """Takes `write`, called where the model is. A full queue answers 503 at once.

        A request that still waits after `timeout_s` is answered with 504 instead of being computed.
        """
        if len(self._queue) >= self.batching.queue_max:
            return refusal(503, f"{self.batching.queue_max} requests wait already", (b"retry-after", b"1"))
        rows, kind = self._kind(inputs, outputs)
        now = self._loop.time()
        until = None if timeout_s is None else now + timeout_s
        item = _Item(inputs, outputs, write, self._loop.create_future(), rows, kind, now, until, CURRENT.get())
        self._queue.append(item)
        self._waiting_rows += rows
        self._schedule()
        return item.future

    def _kind(self, inputs: "Mapping[str, Array]", outputs: tuple[str, ...]) -> tuple[int, object]:
        """How many rows, and what must be equal for two requests to be computed together; None is like no other."""
        predictor = self._model.predictor
        rows = rows_of(predictor.inputs, inputs)
        if self._ragged:
            return rows or 1, outputs
        if rows is None or not predictor.is_rowwise:
            return rows or 1, None
        return rows, (outputs, likeness(predictor.inputs, inputs, self._pad))

    def _schedule(self) -> None:
        """Flushes on the next turn of the loop, or after the delay while the batch is not full."""
        if not self._free:
            return
        is_full = self._waiting_rows >= self.batching.rows_max
        if self._flushing is not None:
            if not (self._is_timed and is_full):
                return
            self._flushing.cancel()
        self._is_timed = self.batching.delay_s > 0 and not is_full
        if self._is_timed:
            due = self._queue[0].since + self.batching.delay_s
            self._flushing = self._loop.call_at(due, self._flush)
        else:
            self._flushing = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = None
        while self._free and (items := self._next()):
            if self._quick >= QUICK_AFTER and self._is_small(items):
                self._compute_here(items)
                continue
            self._free -= 1
            self._pool.submit(self._work, items)

    def _next(self) -> list[_Item]:
        """The first that waits, and those behind it that can go with it."""
        items: list[_Item] = []
        rows = 0
        now = self._loop.time()
        while self._queue:
            item = self._queue[0]
            is_fitting = not items or (
                item.kind == items[0].kind is not None and rows + item.rows <= self.batching.rows_max
            )
            is_wanted = not item.future.cancelled()
            if is_wanted and not is_fitting:
                break
            self._queue.popleft()
            self._waiting_rows -= item.rows
            if is_wanted and item.until is not None and now > item.until:
                self.counts.expired += 1
                item.future.set_result(refusal(504, f"it waited {now - item.since:.3f} s, longer than its timeout"))
            elif is_wanted:
                items.append(item)
                item.left_at = now
                rows += item.rows
                self.counts.queue_time.add(now - item.since)
                self.counts.queue_s += now - item.since
        return items

    def _is_small(self, items: list[_Item]) -> bool:
        return sum(array.size for item in items for array in item.inputs.values()) <= QUICK_ELEMENTS_MAX

    def _compute_here(self, items: list[_Item]) -> None:
        computed = self._computed(items)
        self.counts.quick += 1
        self._settle(items, computed)
        is_slow = computed.took_s > QUICK_S
        if is_slow and self._was_slow:
            self._quick = -QUICK_AGAIN
        self._was_slow = is_slow

    def _work(self, items: list[_Item]) -> None:
        """In a thread: computes, and hands the answers to the loop."""
        computed = self._computed(items)
        self._loop.call_soon_threadsafe(self._done, items, computed)

    def _done(self, items: list[_Item], computed: _Computed) -> None:
        self._free += 1
        self._quick = self._quick + 1 if computed.took_s <= QUICK_S else min(self._quick, 0)
        self._settle(items, computed)
        if self._queue:
            self._flush()

    def _settle(self, items: list[_Item], computed: _Computed) -> None:
        counts, rows = self.counts, sum(item.rows for item in items)
        counts.calls += computed.calls
        counts.rows += rows
        counts.batched += len(items) > 1
        counts.compute_s += computed.took_s
        counts.last_at_ms = int(time.time() * 1000)
        counts.batch_rows.add(rows)
        counts.batch_fill.add(rows / self.batching.rows_max)
        counts.compute_time.add(computed.took_s)
        calls, took_s = counts.by_rows.get(rows, (0, 0.0))
        counts.by_rows[rows] = calls + 1, took_s + computed.took_s
        if any(item.traced for item in items):
            self._tell(items, rows, computed.took_s)
        for item, response in zip(items, computed.responses, strict=True):
            counts.successes += response.status < 400
            counts.failures += response.status >= 500
            counts.refused += 400 <= response.status < 500
            if not item.future.cancelled():
                item.future.set_result(response)

    def _tell(self, items: list[_Item], rows: int, took_s: float) -> None:
        """Tells of a batch that has traced requests in it."""
        waited = [(item.traced.context, item.since) for item in items if item.traced]
        tracer = next(item.traced.tracer for item in items if item.traced)
        now = self._loop.time()
        tracer.computed(waited, len(items), rows, self._model.name, (items[0].left_at, now - took_s, now))

    def _computed(self, items: list[_Item]) -> _Computed:
        watch = _Stopwatch()
        together = self._together(items, watch) if len(items) > 1 else None
        responses = together or [self._alone(item, watch) for item in items]
        return _Computed(responses, watch.calls, watch.took_s)

    def _together(self, items: list[_Item], watch: _Stopwatch) -> list[Response] | None:
        """None where the requests cannot be computed as one, for whatever reason."""
        predictor, requests, outputs = self._model.predictor, [item.inputs for item in items], items[0].outputs
        parts: Sequence[Mapping[str, Array]] | None
        try:
            if self._ragged:
                parts = watch.timed(partial(self._ragged.predict_many, requests, outputs))
            else:
                whole = joined(predictor.inputs, requests, self._pad)
                given = watch.timed(partial(predictor.predict, whole, outputs))
                parts = parted(predictor.inputs, predictor.outputs, requests, given, self._pad)
            if parts is None or len(parts) != len(items):
                return None
            return [item.write(part) for item, part in zip(items, parts, strict=True)]
        except Exception:  # noqa: BLE001 - a model may raise anything; alone, each gets its own answer
            return None

    def _alone(self, item: _Item, watch: _Stopwatch) -> Response:
        try:
            return item.write(watch.timed(partial(self._model.predictor.predict, item.inputs, item.outputs)))
        except (ValueError, TypeError) as e:
            # Names, shapes and datatypes were checked before, so what is left to dislike is the values.
            return refusal(400, f"the model does not take this input: {e}")
        except MemoryError:
            return refusal(413, "there is not enough memory for this input; send fewer rows at once")
        except Exception as e:  # noqa: BLE001 - a model may raise anything; it must not end the server
            return refusal(500, f"the model failed: {type(e).__name__}: {e}")
