"""How do tasks on other machines reach the doors of this one? Through `python -m weyr.gateway.relay`.

The doors listen on loopback only. This is a process of its own, so that checkpoints and artifacts go on when the server
is down.

What comes in at the address that `weyr server start --listen` names is carried, byte for byte, to the same port of the
loopback. Every door asks everybody for a token, wherever they come from.
"""

import argparse
import asyncio
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import uvloop

from weyr.wire.process import allow_many_files, stop_signal, write_info

PIECE_BYTES = 256 << 10
HERE = "127.0.0.1"


def main() -> int:
    """Exit status 0 after a stop that was asked for, 1 where a port cannot be had at the address."""
    parser = argparse.ArgumentParser(prog="python -m weyr.gateway.relay", description="Carry to the loopback.")
    parser.add_argument("--address", required=True, help="where others reach this machine")
    parser.add_argument("--ports", type=int, nargs="+", required=True, help="those of the loopback's doors")
    parser.add_argument("--info", type=Path, required=True, help="where to say that this process runs")
    arguments = parser.parse_args()
    allow_many_files()
    try:
        uvloop.run(_serve(arguments.address, arguments.ports, arguments.info))
    except OSError as e:
        print(f"the relay cannot start: {e}", file=sys.stderr)
        return 1
    return 0


async def _serve(address: str, ports: list[int], info: Path) -> None:
    relays = [await open_relay(address, port) for port in ports]
    write_info(info, ports[0], f"http://{address}:{ports[0]}")
    try:
        await stop_signal()
    finally:
        info.unlink(missing_ok=True)
        for relay in relays:
            relay.close()


async def open_relay(address: str, port: int) -> asyncio.Server:
    """Listens at the address. Raises: OSError."""
    return await asyncio.start_server(partial(_carry, port), address, port)


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


if __name__ == "__main__":
    sys.exit(main())
