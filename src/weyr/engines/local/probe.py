"""Is a serving task ready? One HTTP GET over its Unix socket; many at once, within one bound."""

import selectors
import socket
import time
from collections.abc import Mapping

PROBE_S = 0.3


def ready(probes: Mapping[str, tuple[str, str]], timeout_s: float = PROBE_S) -> set[str]:
    """Which of these answer 200. Takes name → (socket path, HTTP path).

    Promises: returns within `timeout_s` for any number; one that does not answer is not ready.
    """
    ready_names: set[str] = set()
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        for name, (address, path) in probes.items():
            asked = _asked(address, path)
            if asked:
                selector.register(asked, selectors.EVENT_READ, name)
        while selector.get_map() and (left_s := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                door = key.fileobj
                assert isinstance(door, socket.socket)
                if _is_ok(door):
                    ready_names.add(key.data)
                selector.unregister(door)
                door.close()
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
    return ready_names


def _asked(address: str, path: str) -> socket.socket | None:
    """A connection on which the question was sent: a Unix socket takes it at once or not at all."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.setblocking(False)
    try:
        door.connect(address)
        door.send(f"GET {path} HTTP/1.1\r\nHost: task\r\nConnection: close\r\n\r\n".encode())
    except OSError:
        door.close()
        return None
    return door


def _is_ok(door: socket.socket) -> bool:
    try:
        return door.recv(4096).split(b" ", 2)[1:2] == [b"200"]
    except OSError:
        return False
