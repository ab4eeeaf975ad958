"""Is a serving task ready? One HTTP GET over its Unix socket; many at once, within one bound."""

import selectors
import socket
import time
from collections.abc import Mapping

PROBE_S = 0.3
LATE_S = 2.0
"""How long a yes holds while nobody answers: on a machine with twenty runnable processes for each CPU an answer takes
half a second at times, and a service went in and out of service each time."""


class Probes:
    """Who is ready, as each answered last. A no holds at once, and silence only once it has lasted for `late_s`."""

    def __init__(self, late_s: float = LATE_S) -> None:
        self._late_s = late_s
        self._well_at: dict[str, float] = {}

    def ready(self, asked: Mapping[str, tuple[str, str]], timeout_s: float = PROBE_S) -> set[str]:
        """Which of these are. Takes name → (socket path, HTTP path). Promises: returns within `timeout_s`."""
        answers = answered(asked, timeout_s)
        now = time.monotonic()
        for name, is_ready in answers.items():
            if is_ready:
                self._well_at[name] = now
            elif is_ready is False:
                self._well_at.pop(name, None)
        self._well_at = {name: at for name, at in self._well_at.items() if now - at <= self._late_s}
        return self._well_at.keys() & asked.keys()


def answered(asked: Mapping[str, tuple[str, str]], timeout_s: float = PROBE_S) -> dict[str, bool | None]:
    """What each answers: whether with 200; None where it has not within `timeout_s`, for any number of them."""
    answers: dict[str, bool | None] = {}
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        for name, (address, path) in asked.items():
            try:
                selector.register(_asked(address, path), selectors.EVENT_READ, name)
                answers[name] = None
            except BlockingIOError:
                answers[name] = None  # as many wait at its door as may
            except OSError:
                answers[name] = False
        while selector.get_map() and (left_s := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                door = key.fileobj
                assert isinstance(door, socket.socket)
                answers[key.data] = _is_ok(door)
                selector.unregister(door)
                door.close()
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
    return answers


def _asked(address: str, path: str) -> socket.socket:
    """A connection on which the question was sent: a Unix socket takes it at once or not at all. Raises: OSError."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.setblocking(False)
    try:
        door.connect(address)
        door.send(f"GET {path} HTTP/1.1\r\nHost: task\r\nConnection: close\r\n\r\n".encode())
    except OSError:
        door.close()
        raise
    return door


def _is_ok(door: socket.socket) -> bool:
    try:
        return door.recv(4096).split(b" ", 2)[1:2] == [b"200"]
    except OSError:
        return False
