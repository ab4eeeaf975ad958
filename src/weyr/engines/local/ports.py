"""Which port does a process listen on? Its own for life: tasks and users keep the addresses they were given."""

import json
import os
import random
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from weyr.core.diagnostic import Diagnostic, UserError

HOST = "127.0.0.1"

FIRST, LAST = 20_000, 32_000
"""Below the range from which Linux takes the ports of outgoing connections (32768 on): a port kept for
life must not be one that any client of anything may hold for a minute when its owner restarts."""

TRIES = 200
BACKLOG = 2048
_LISTENS = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def kept_ports(file: Path, wanted: Mapping[str, int], forced: Mapping[str, int] | None = None) -> dict[str, int]:
    """The ports of these processes, kept in `file` from the first time on.

    Takes `wanted`: process → the port it would like, 0 for any; `forced`: what is kept from now on whatever was before.
    Raises: UserError where the file cannot be read, OSError where no port is free.
    """
    before = known_ports(file)
    kept = {**before, **(forced or {})}
    ports = {name: kept.get(name) or _free(port) for name, port in wanted.items()}
    if before != {**kept, **ports}:
        temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("w") as stream:
                stream.write(json.dumps({**kept, **ports}))
                stream.flush()
                os.fsync(stream.fileno())  # else a power cut may leave the name with nothing in it
            os.replace(temporary, file)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    return ports


def known_ports(file: Path) -> dict[str, int]:
    """The ports that have been kept so far. Raises: UserError where the file cannot be read."""
    try:
        return {str(name): int(port) for name, port in json.loads(file.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as e:
        # Guessing would be worse than to say so: running tasks know the server by its port.
        detail = f"{file} should say on which ports this data folder's processes listen, and cannot be read: {e}."
        raise UserError(Diagnostic("The ports cannot be read", detail, suggestion=f"rm {file}")) from e


def listening(port: int) -> socket.socket:
    """A door at the port, and nobody else's from now on. Raises: OSError where it is taken.

    It listens at once: two who only have bound a port may both have it, until one listens and the other cannot.
    """
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((HOST, port))
        door.listen(BACKLOG)
    except OSError:
        door.close()
        raise
    return door


def listening_somewhere(wanted: int) -> socket.socket:
    """A door at the wanted port, or where somebody has it (or it is 0) at any other. Raises: OSError."""
    for port in _candidates(wanted):
        with suppress(OSError):
            return listening(port)
    raise _none_free()


def is_free(port: int) -> bool:
    """Whether nobody listens there at this moment."""
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((HOST, port))
        except OSError:
            return False
        return True


def holder_of(port: int) -> str:
    """Who listens there, as its name and process id; "" where that is somebody of whom we may not know."""
    inodes = {f"socket:[{inode}]" for inode in _listeners(port)}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is somebody else's
            if any(os.readlink(file) in inodes for file in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _listeners(port: int) -> Iterator[str]:
    """The inodes of the sockets that listen at a port, as /proc/net/tcp has them."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError), open(f"/proc/net/{table}") as file:
            for line in file:
                fields = line.split()
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _free(wanted: int) -> int:
    for port in _candidates(wanted):
        if is_free(port):
            return port
    raise _none_free()


def _candidates(wanted: int) -> list[int]:
    return [*([wanted] if wanted else []), *random.sample(range(FIRST, LAST), TRIES)]


def _none_free() -> OSError:
    return OSError(f"none of {TRIES} ports tried between {FIRST} and {LAST} is free")
