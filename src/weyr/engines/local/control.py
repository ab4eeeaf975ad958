"""How does the engine ask a plane? JSON over HTTP on the plane's Unix socket, with a bound on the wait."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

CONTROL_TIMEOUT_S = 5.0
"""Planes answer control requests from memory or one index look-up; a slower one is as good as silent."""


EPOCH = "X-Weyr-Epoch"


class PlaneDown(Exception):
    """Nobody listens at the plane's control socket: it is not running."""


class NoAnswer(Exception):
    """The plane did not answer in time, or not in its protocol; what was asked may have happened."""


def ask(control: Path, method: str, path: str, body: object = None, epoch: int = 0) -> tuple[int, Any]:
    """The status and the JSON of the answer; None where it has no body.

    Takes `epoch`, that of the lease under which the server acts; a plane that knows a higher one refuses.

    Raises: PlaneDown, NoAnswer.
    """
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
