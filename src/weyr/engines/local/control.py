"""How does the engine ask a plane? JSON over HTTP on the plane's Unix socket, with a bound on the wait."""

import http.client
import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTROL_TIMEOUT_S = 2.0
"""Planes answer control requests from memory or one index look-up; a slower one is as good as silent."""
SILENCE_FIRST_S, SILENCE_MAX_S = 2.0, 30.0
"""A plane that hangs is not waited for again for so long: 2, 4, 8 ... 30 s. Whoever asks may hold the loop's lock."""


EPOCH = "X-Weyr-Epoch"


class PlaneDown(Exception):
    """Nobody listens at the plane's control socket: it is not running."""


class NoAnswer(Exception):
    """The plane did not answer in time, or not in its protocol; what was asked may have happened."""


@dataclass(frozen=True, slots=True)
class _Silence:
    """A plane did not answer. `socket` tells it from the one that may take its place."""

    socket: int
    wait_s: float
    until: float


_silences: dict[Path, _Silence] = {}


def ask(control: Path, method: str, path: str, body: object = None, epoch: int = 0) -> tuple[int, Any]:
    """The status and the JSON of the answer; None where it has no body.

    Takes `epoch`, that of the lease under which the server acts; a plane that knows a higher one refuses.

    Raises: PlaneDown, NoAnswer; at once where the plane did not answer a moment ago.
    """
    silence = _silences.get(control)
    if silence and silence.socket == _socket_of(control) and time.monotonic() < silence.until:
        raise NoAnswer("it did not answer in time; it is asked again soon")
    try:
        answer = _answer(control, method, path, body, epoch)
    except NoAnswer as e:
        if isinstance(e.__cause__, TimeoutError):
            wait_s = min(silence.wait_s * 2, SILENCE_MAX_S) if silence else SILENCE_FIRST_S
            _silences[control] = _Silence(_socket_of(control), wait_s, time.monotonic() + wait_s)
        raise
    _silences.pop(control, None)
    return answer


def _socket_of(control: Path) -> int:
    try:
        return control.stat().st_ino
    except OSError:
        return 0


def _answer(control: Path, method: str, path: str, body: object, epoch: int) -> tuple[int, Any]:
    connection = _UnixConnection(control)
    try:
        text = None if body is None else json.dumps(body).encode()
        connection.request(
            method, path, text, {EPOCH: str(epoch), **({"Content-Type": "application/json"} if text else {})}
        )
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None
    except (FileNotFoundError, ConnectionRefusedError) as e:
        raise PlaneDown(f"nobody listens at {control}") from e
    except (OSError, ValueError, http.client.HTTPException) as e:
        raise NoAnswer(str(e) or type(e).__name__) from e
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    """The standard client over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=CONTROL_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONTROL_TIMEOUT_S)
        self.sock.connect(str(self._path))
