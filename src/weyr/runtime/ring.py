"""How does a replica say that it is ready, so that nobody waits for the next look at it? At the server's doorbell, or
where that is not to be seen, in a sandbox or on another machine, by a call of its API.

Nothing hangs on it: who looks at the replica sees the same.
"""

import http.client
import json
import os
import socket
import threading
from urllib.parse import urlsplit

CALL_S = 2.0


def ring_beside() -> None:
    """Calls in a thread of its own: a server that is away keeps nobody from serving."""
    if _knock(os.environ.get("WEYR_DOORBELL", ""), os.environ.get("WEYR_TASK_ID", "")):
        return
    url, token = urlsplit(os.environ.get("WEYR_API_URL", "")), os.environ.get("WEYR_TOKEN", "")
    if url.hostname and token:
        threading.Thread(target=_call, args=(url.hostname, url.port or 80, token), name="ring", daemon=True).start()


def _knock(door: str, id: str) -> bool:
    """Whether somebody was told there; never waits."""
    if not (door and id):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mine:
        mine.setblocking(False)
        try:
            mine.sendto(json.dumps({"id": id, "event": "ready"}).encode(), door)
        except OSError:
            return False
    return True


def _call(host: str, port: int, token: str) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=CALL_S)
    try:
        connection.request("POST", "/v1/bell", headers={"Authorization": f"Bearer {token}"})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()
