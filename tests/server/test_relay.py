"""How tasks on other machines reach the doors: what comes in at one address is carried to the loopback."""

import asyncio
import socket
from pathlib import Path

import pytest

from weyr.compose.doors import keep_listen, listen_of, planes_of
from weyr.core.diagnostic import UserError
from weyr.gateway.relay import open_relay
from weyr.store.home import Home

ELSEWHERE = "127.0.0.2"
"""Loopback too, but not where anything listens: as another address of this machine would be."""


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read())
    writer.write_eof()
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_what_comes_in_is_carried_both_ways_to_its_end() -> None:
    """A checkpoint of a gigabyte, and the answer that it is saved."""
    sent = bytes(range(256)) * 20_000

    async def play() -> bytes:
        door = await asyncio.start_server(_echo, "127.0.0.1", 0)
        port = door.sockets[0].getsockname()[1]
        relay = await open_relay(ELSEWHERE, port)
        reader, writer = await asyncio.open_connection(ELSEWHERE, port)
        writer.write(sent)
        writer.write_eof()
        got = await reader.read()
        writer.close()
        for server in (relay, door):
            server.close()
        # Nothing of the connections is left either: each end closes as the other does.
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        return got

    assert asyncio.run(play()) == sent


def test_without_an_address_nothing_is_open(tmp_path: Path) -> None:
    """Safe by default: nobody on the network reaches a laptop's server."""
    home = Home(tmp_path)
    assert not planes_of(home)["relay"].is_wanted
    keep_listen(home, ELSEWHERE)
    assert planes_of(home)["relay"].is_wanted


def test_the_address_is_remembered_until_it_is_taken_back(tmp_path: Path) -> None:
    """A server that `weyr up` starts again must be where its tasks know it."""
    home = Home(tmp_path)
    keep_listen(home, ELSEWHERE)
    assert listen_of(home) == ELSEWHERE
    keep_listen(home, "127.0.0.1")
    assert listen_of(home) == ""


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    """Found out at the start, not by the first task that waits in vain."""
    with pytest.raises(UserError, match=r"is not an IPv4 address of this machine"):
        keep_listen(Home(tmp_path), socket.inet_ntoa(b"\xc0\x00\x02\x01"))
