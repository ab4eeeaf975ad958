"""How do tasks on other machines reach the doors of this one? Through here: the doors listen on loopback only.

What comes in at the address that `weyr server start --listen` names is carried, byte for byte, to the same port of the
loopback. Every door asks everybody for a token, wherever they come from.
"""

import asyncio
import socket
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from weyr.reconcile.ports import Log

PIECE_BYTES = 256 << 10
HERE = "127.0.0.1"


async def open_relays(address: str, ports: Iterable[int], log: Log) -> list[asyncio.Server]:
    """Listens at the address; a port that cannot be had there is logged, and left out. None without an address."""
    relays = []
    for port in ports if address else ():
        try:
            relays.append(await asyncio.start_server(partial(_carry, port), address, port))
        except OSError as e:
            log("relay.failed", address=address, port=port, error=str(e))
    return relays


async def _carry(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        there, back = await asyncio.open_connection(HERE, port)
    except OSError:
        writer.close()  # the door is not there just now: as if nobody listened
        return
    for end in (writer, back):
        end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await asyncio.gather(_pump(reader, back), _pump(there, writer))
    for end in (writer, back):
        end.close()
        with suppress(OSError):
            await end.wait_closed()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """One direction, to its end, which is passed on."""
    with suppress(OSError):
        while piece := await source.read(PIECE_BYTES):
            sink.write(piece)
            await sink.drain()
    with suppress(OSError):
        sink.write_eof()
