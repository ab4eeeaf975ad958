"""Which exchanges go into a payload log, and how do they leave this process? As they passed, to one that writes them.

Reading and redacting bodies takes time, and a regular expression of a user's may take any: a process of its own does
it. Here a chosen exchange costs the keeping of pieces that are there anyway, and one write into a pipe. Where that
process does not keep up, exchanges are dropped and counted; a request never waits.
"""

import asyncio
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from weyr.core.watch import PayloadLog
from weyr.wire.frames import Frames, frame

PIPE_BYTES_MAX = 16 * 2**20
"""What may wait for the writer."""
RESTART_S = 1.0

SLOW, FULL, ENDED = "slow", "disk", "writer ended"
"""Why an exchange that was chosen is not in the log."""


class Capture:
    """What is kept of one chosen exchange: up to `log.bytes_max` of the bodies, and the answer's head beside it."""

    __slots__ = ("_asked", "_told", "asked_bytes", "log", "told_bytes")

    def __init__(self, log: PayloadLog) -> None:
        self.log = log
        self.asked_bytes = self.told_bytes = 0
        self._asked: list[bytes] = []
        self._told: list[bytes] = []

    def asked(self, piece: bytes) -> None:
        """A piece of the request's body, without its framing."""
        if self.asked_bytes < self.log.bytes_max:
            self._asked.append(piece[: self.log.bytes_max - self.asked_bytes])
        self.asked_bytes += len(piece)

    def told(self, data: bytes) -> None:
        """A piece of the answer as it is on the wire: head, framing and all. A little more is kept for those."""
        if self.told_bytes < self._told_max:
            self._told.append(data[: self._told_max - self.told_bytes])
        self.told_bytes += len(data)

    def again(self) -> None:
        """The request is sent once more: what was told before does not count."""
        self._told.clear()
        self.told_bytes = 0

    def frame(self, about: dict[str, Any]) -> bytes:
        """The exchange as the writer reads it."""
        asked, told = b"".join(self._asked), b"".join(self._told)
        log = self.log
        header = about | {
            "bucket": log.bucket, "prefix": log.prefix, "redact": log.redact, "bytes_max": log.bytes_max,
            "asked_bytes": self.asked_bytes, "asked_kept": len(asked), "is_cut": self.told_bytes > len(told),
        }  # fmt: skip
        return frame(header, asked + told)

    @property
    def _told_max(self) -> int:
        return self.log.bytes_max + 64 * 2**10


def chosen(log: PayloadLog) -> Capture | None:
    """A capture for the share of exchanges that the log wants."""
    return Capture(log) if random.random() < log.sample else None


class Payloads:
    """The writer's process, which is there once the first exchange was chosen. `dropped` counts by (endpoint, reason).

    Takes: `spool`, the folder it writes to, and the most that may lie there, in bytes.
    """

    def __init__(self, spool: Path | None, bytes_max: int) -> None:
        self._arguments: Sequence[str] = (str(spool), str(bytes_max))
        self._has_spool = spool is not None
        self._pipe: asyncio.WriteTransport | None = None
        self._starting: asyncio.Task[None] | None = None
        self._early: list[tuple[str, bytes]] = []
        self.logged: dict[str, int] = {}
        self.dropped: dict[tuple[str, str], int] = {}
        self._transport: asyncio.SubprocessTransport | None = None

    def put(self, endpoint: str, data: bytes) -> None:
        """Hands an exchange on. Never waits, never raises."""
        if not self._has_spool:
            self._drop(endpoint, FULL)
        elif self._pipe is None or self._pipe.is_closing():
            self._put_early(endpoint, data)
        elif self._pipe.get_write_buffer_size() + len(data) > PIPE_BYTES_MAX:
            self._drop(endpoint, SLOW)
        else:
            self.logged[endpoint] = self.logged.get(endpoint, 0) + 1
            self._pipe.write(data)

    async def close(self, wait_s: float) -> None:
        """Lets the writer finish what it was given, as far as that goes in `wait_s`."""
        if self._starting is not None:
            await asyncio.wait([self._starting], timeout=wait_s)
        if self._pipe is None or self._transport is None:
            return
        self._pipe.close()
        process = cast(_Writer, self._transport.get_protocol())
        try:
            await asyncio.wait_for(process.ended.wait(), wait_s)
        except TimeoutError:
            self._transport.kill()

    def told(self, line: dict[str, Any]) -> None:
        """The writer says what it could not write."""
        endpoint = str(line.get("endpoint", ""))
        self._drop(endpoint, str(line.get("reason", FULL)))

    def _put_early(self, endpoint: str, data: bytes) -> None:
        """The writer is being started: the first few exchanges wait for it."""
        if sum(len(early) for _, early in self._early) + len(data) > PIPE_BYTES_MAX:
            self._drop(endpoint, ENDED)
            return
        self._early.append((endpoint, data))
        if self._starting is None or self._starting.done():
            self._starting = asyncio.get_running_loop().create_task(self._start())

    async def _start(self) -> None:
        if self._transport is not None:
            await asyncio.sleep(RESTART_S)  # it has ended before; no faster than this does it end again
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.subprocess_exec(
                lambda: _Writer(self), sys.executable, "-m", "weyr.gateway.inference.payload_writer",
                *self._arguments, stderr=None,
            )  # fmt: skip
        except OSError:
            for endpoint, _data in self._early:
                self._drop(endpoint, ENDED)
            self._early.clear()
            return
        self._transport = transport
        self._pipe = cast(asyncio.WriteTransport, transport.get_pipe_transport(0))
        early, self._early = self._early, []
        for endpoint, data in early:
            self.put(endpoint, data)

    def _drop(self, endpoint: str, reason: str) -> None:
        key = endpoint, reason
        self.dropped[key] = self.dropped.get(key, 0) + 1


class _Writer(asyncio.SubprocessProtocol):
    """The other end of the pipe. On its standard output it says what it dropped, a frame each."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._frames = Frames(0)
        self.ended = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        assert isinstance(data, bytes)
        for line, _ in self._frames.feed(data):
            self._payloads.told(line)

    def process_exited(self) -> None:
        self.ended.set()
