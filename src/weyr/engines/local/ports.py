"""Which port does a process listen on? Its own for life: tasks and users keep the addresses they were given."""

import json
import os
import random
import socket
from collections.abc import Mapping
from pathlib import Path

from weyr.core.diagnostic import Diagnostic, UserError

HOST = "127.0.0.1"

FIRST, LAST = 20_000, 32_000
"""Below the range from which Linux takes the ports of outgoing connections (32768 on): a port kept for
life must not be one that any client of anything may hold for a minute when its owner restarts."""

TRIES = 200


def kept_ports(file: Path, wanted: Mapping[str, int], forced: Mapping[str, int] | None = None) -> dict[str, int]:
    """The ports of these processes, kept in `file` from the first time on.

    Takes `wanted`: process → the port it would like, 0 for any; `forced`: what is kept from now on whatever was before.
    Raises: UserError where the file cannot be read, OSError where no port is free.
    """
    before = _kept(file)
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


def _kept(file: Path) -> dict[str, int]:
    """Guessing would be worse than to say so: running tasks know the server by its port."""
    try:
        return {str(name): int(port) for name, port in json.loads(file.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as e:
        detail = f"{file} should say on which ports this data folder's processes listen, and cannot be read: {e}."
        raise UserError(Diagnostic("The ports cannot be read", detail, suggestion=f"rm {file}")) from e


def is_free(port: int) -> bool:
    """Whether nobody listens there at this moment."""
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((HOST, port))
        except OSError:
            return False
        return True


def _free(wanted: int) -> int:
    if wanted and is_free(wanted):
        return wanted
    for port in random.sample(range(FIRST, LAST), TRIES):
        if is_free(port):
            return port
    raise OSError(f"none of {TRIES} ports tried between {FIRST} and {LAST} is free")
