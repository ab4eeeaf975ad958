"""Ports on loopback for what tests start, and start again where it was."""

import random
import socket

FIRST, LAST = 20_000, 32_000
"""Below the range from which Linux takes the ports of outgoing connections: of those a client of any test may hold one
while the server that is to have it is not there."""
TRIES = 200


def free_port() -> int:
    """A port that nobody listens on now."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many, all different."""
    found = [port for port in random.sample(range(FIRST, LAST), TRIES) if not listens(port)]
    assert len(found) >= count, f"of {TRIES} ports {len(found)} are free"
    return found[:count]


def listens(port: int) -> bool:
    """Whether somebody has it."""
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False
