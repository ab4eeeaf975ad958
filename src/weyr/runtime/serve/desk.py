"""How does a request reach its model? Read, checked, put to the model's batcher; the model is loaded if need be.

What all protocols share. Each brings a `Reader`, which makes the protocol's body what the model takes.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weyr.runtime.serve.model import Model
from weyr.runtime.serve.shelf import NoRoom, Shelf, Slot
from weyr.runtime.serve.tensor import Malformed
from weyr.wire.message import Request, Response, refusal
from weyr.wire.server import Answer

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

INLINE_MAX = 128 * 2**10
"""Bodies up to this size are read on the loop; larger ones in a thread, so that health checks are not kept waiting."""

WAITING_MAX = 256
"""Calls of one model, beyond those that its threads are at, that may wait: the next is told to come again."""

INFLATED_MAX = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the model can compute, and how its answer is written (in a thread)."""

    inputs: "Mapping[str, Array]"
    outputs: tuple[str, ...]
    write: "Callable[[Mapping[str, Array]], Response]"
    timeout_s: float | None = None


Reader = Callable[[Model, Request, bytes], Asked]
"""Takes the body as it was before it was compressed. Raises: Malformed."""

Given = Response | asyncio.Future[Response] | asyncio.Future[Answer]


class Desk:
    """Takes requests to the models of one shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.is_filled = False
        self.is_draining = False
        self._loop = asyncio.get_running_loop()

    @property
    def only(self) -> Slot | None:
        """The model that is meant where none is named: there must be one alone."""
        slots = self.shelf.all
        return slots[-1] if len({slot.source.name for slot in slots}) == 1 else None

    def not_ready(self, slot: Slot | None = None) -> Response | None:
        """Why nothing, or not this model, can be asked now; None where it can."""
        what = f"model {slot.source.name}" if slot else "the server"
        if self.is_draining:
            return refusal(503, f"{what} is ending")
        if slot is not None and slot.batcher is None and self.is_filled:
            return refusal(503, f"{what} is not in memory: {slot.reason or 'it is being loaded'}")
        if not self.is_filled and (slot is None or slot.batcher is None):
            return refusal(503, "the model is being loaded", (b"retry-after", b"1"))
        return None

    def compute(self, slot: Slot, request: Request, read: Reader) -> Given:
        """Answers from the model's batcher. Never raises."""
        is_simple = len(request.body) <= INLINE_MAX and b"content-encoding" not in request.headers
        if slot.model is not None and is_simple:
            try:
                return self._submit(slot, read(slot.model, request, request.body))
            except Malformed as e:
                return refusal(400, str(e))
        if not self.is_filled and slot.batcher is None:
            return refusal(503, "the model is being loaded", (b"retry-after", b"1"))
        return self._loop.create_task(self._compute_later(slot, request, read))

    async def _compute_later(self, slot: Slot, request: Request, read: Reader) -> Response:
        try:
            model = await self.loaded(slot)
            body = await self._loop.run_in_executor(None, plain_body, request)
            asked = await self._loop.run_in_executor(None, read, model, request, body)
            if slot.model is not model:
                # It was evicted while the body was read.
                await self.loaded(slot)
            given = self._submit(slot, asked)
        except Malformed as e:
            return refusal(400, str(e))
        except Unserved as e:
            return e.response
        return given if isinstance(given, Response) else await given

    async def loaded(self, slot: Slot) -> Model:
        """The model, loaded if need be. Raises: Unserved."""
        if slot.model is None:
            try:
                await self.shelf.load(slot)
            except NoRoom as e:
                again = ((b"retry-after", b"1"),) if e.is_passing else ()
                raise Unserved(refusal(503, str(e), *again)) from e
            except Exception as e:
                # Loading runs a model's own code, which may raise anything.
                raise Unserved(refusal(503, f"model {slot.source.name} cannot be served: {e}")) from e
        slot.used_at = self._loop.time()
        assert slot.model is not None
        return slot.model

    def require_place(self, slot: Slot, more: int = 1) -> None:
        """For what no batcher computes. Raises: Unserved where enough of it waits for one of the model's threads."""
        if slot.streams + more > slot.batching.streams + WAITING_MAX:
            again = (b"retry-after", b"1")
            raise Unserved(refusal(503, f"{slot.streams} calls of {slot.source.name} are under way", again))

    def _submit(self, slot: Slot, asked: Asked) -> Response | asyncio.Future[Response]:
        assert slot.batcher is not None
        slot.used_at = self._loop.time()
        return slot.batcher.submit(asked.inputs, asked.outputs, asked.write, asked.timeout_s)


class Unserved(Exception):
    """The model cannot be asked; `response` says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def plain_body(request: Request) -> bytes:
    """The body, inflated where it is compressed. Raises: Malformed, also for a small body that would become huge."""
    encoding = request.headers.get(b"content-encoding", b"identity").lower()
    if encoding == b"identity":
        return request.body
    if encoding not in (b"gzip", b"deflate"):
        raise Malformed("the content encoding is not known; gzip and deflate are")
    inflater = zlib.decompressobj(wbits=31 if encoding == b"gzip" else 15)
    try:
        inflated = inflater.decompress(request.body, INFLATED_MAX)
    except zlib.error as e:
        raise Malformed(f"the body is not {encoding.decode()}: {e}") from e
    if inflater.unconsumed_tail or not inflater.eof:
        raise Malformed(f"the body is cut short, or larger than {INFLATED_MAX} bytes")
    return inflated
