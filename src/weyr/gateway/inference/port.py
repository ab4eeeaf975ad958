"""Which door does this process of the plane open? That of the process whose place it takes, of another beside it, or
a new one."""

import asyncio
import errno
import socket
from pathlib import Path

from weyr.wire.handover import SUFFIX, Taken, opened, taken

TRY_S = 5.0
"""As long as several that start at once take until one of them has the port."""


async def door_of(control: Path, host: str, port: int, replaces: bool) -> tuple[socket.socket, Taken | None]:
    """The listening socket, and with `replaces` the process that has it until we say so.

    Takes `control`, our control socket's path: those of the others lie beside it under the same name and a number.
    Raises: OSError where somebody else has the port.
    """
    own = own_of(control)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TRY_S
    while True:
        if replaces and (given := taken(own)):
            return given.door, given
        for path in beside(control):
            if found := taken(path):
                found.keep()
                return found.door, None
        try:
            return opened(host, port), None
        except OSError as e:
            if e.errno != errno.EADDRINUSE or not port or loop.time() > deadline or not is_one_of_several(control):
                raise
        await asyncio.sleep(0.05)


def own_of(control: Path) -> Path:
    """Where a process gives its door to others."""
    return control.with_name(control.name + SUFFIX)


def beside(control: Path) -> list[Path]:
    """Where the others give theirs: `inference.sock`, `inference-1.sock`, and so on."""
    family = control.stem.partition("-")[0]
    paths = control.parent.glob(f"{family}*{control.suffix}{SUFFIX}")
    return sorted(path for path in paths if path != own_of(control))


def is_one_of_several(control: Path) -> bool:
    return "-" in control.stem or bool(beside(control))
