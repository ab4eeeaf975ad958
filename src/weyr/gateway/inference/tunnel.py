"""What passes once a caller and a replica have agreed to speak something else, such as WebSocket? Bytes, both ways."""

import asyncio
from collections.abc import Callable


class Side(asyncio.Protocol):
    """One end of a tunnel: what it hears goes to `other`, and `heard` is told how much. `ended` is called once, when
    either end is gone."""

    def __init__(self, own: asyncio.Transport, heard: Callable[[int], None], ended: Callable[[], None]) -> None:
        self.own, self.other, self._heard, self._ended = own, own, heard, ended

    def data_received(self, data: bytes) -> None:
        self._heard(len(data))
        self.other.write(data)

    def pause_writing(self) -> None:
        if not self.other.is_closing():
            self.other.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.is_closing():
            self.other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.other.close()
        self._ended()


def join(
    caller: asyncio.Transport, replica: asyncio.Transport, answered: Callable[[int], None], ended: Callable[[], None]
) -> None:
    """Makes a tunnel of two connections. `answered` is told of bytes to the caller; `ended` is called once, when it is
    over."""
    open_ends = [2]

    def one_ended() -> None:
        open_ends[0] -= 1
        if not open_ends[0]:
            ended()

    sides = [Side(caller, lambda _size: None, one_ended), Side(replica, answered, one_ended)]
    sides[0].other, sides[1].other = replica, caller
    for side in sides:
        side.own.set_protocol(side)
        side.own.resume_reading()
