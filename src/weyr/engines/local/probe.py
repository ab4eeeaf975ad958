"""Is a serving task ready? One HTTP GET over its Unix socket; many at once, within one bound."""

import selectors
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

PROBE_S = 0.3
LATE_S = 2.0
"""How long a yes holds while nobody answers: on a machine with twenty runnable processes for each CPU an answer takes
half a second at times, and a service went in and out of service each time."""

FORGOTTEN_AFTER_S = 3600.0
"""Of a task that nobody has asked about for so long nothing is kept: it is gone."""


@dataclass(slots=True)
class _Well:
    """One whose last answer was yes: when it was asked last, and since when it has been silent."""

    asked_at: float
    silent_since: float | None = None


class Probes:
    """Who is ready, as each answered last. A no holds at once, and silence only once it has lasted for `late_s`."""

    def __init__(self, late_s: float = LATE_S) -> None:
        self._late_s = late_s
        self._well: dict[str, _Well] = {}

    def ready(self, asked: Mapping[str, tuple[str, str]], timeout_s: float = PROBE_S) -> set[str]:
        """Which of these are. Takes name → (socket path, HTTP path). Promises: returns within `timeout_s`."""
        now = time.monotonic()
        for name, is_ready in answered(asked, timeout_s).items():
            if is_ready:
                self._well[name] = _Well(now)
            elif name in self._well and (is_ready is False or self._is_over(self._well[name], now)):
                del self._well[name]
        self._well = {name: well for name, well in self._well.items() if now - well.asked_at <= FORGOTTEN_AFTER_S}
        return self._well.keys() & asked.keys()

    def _is_over(self, well: _Well, now: float) -> bool:
        """Whether one that is silent now has been so for too long; the first time it has only begun."""
        well.asked_at = now
        well.silent_since = well.silent_since or now
        return now - well.silent_since > self._late_s


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
