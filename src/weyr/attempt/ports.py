"""Where does a task listen? At ports that it is told, so that replicas of one program can share a machine."""

import random
import socket
from collections.abc import Sequence

FIRST, LAST = 20_000, 32_000
"""Below the range from which Linux takes the ports of outgoing connections: a task may listen some time later."""
TRIES = 100


def port_env(ports: Sequence[int]) -> dict[str, str]:
    """Where the task is to listen: $PORT, and all of them where it has several."""
    return {"PORT": str(ports[0]), "WEYR_PORTS": ",".join(map(str, ports))} if ports else {}


def unused_port() -> int:
    """A port for a task to listen on, that nobody listens on now. Raises: OSError where none is found."""
    for port in random.sample(range(FIRST, LAST), TRIES):
        with socket.socket() as door:
            try:
                door.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"none of {TRIES} ports tried between {FIRST} and {LAST} is free")
