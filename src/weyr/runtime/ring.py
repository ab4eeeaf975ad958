"""How does a replica say that it is ready, so that nobody waits for the next look at it? One call of the server's API.

Nothing hangs on it: who looks at the replica sees the same.
"""

import http.client
import os
import threading
from urllib.parse import urlsplit

CALL_S = 2.0


def ring_beside() -> None:
    """Calls in a thread of its own: a server that is away keeps nobody from serving."""
    url, token = urlsplit(os.environ.get("WEYR_API_URL", "")), os.environ.get("WEYR_TOKEN", "")
    if url.hostname and token:
        threading.Thread(target=_call, args=(url.hostname, url.port or 80, token), name="ring", daemon=True).start()


def _call(host: str, port: int, token: str) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=CALL_S)
    try:
        connection.request("POST", "/v1/bell", headers={"Authorization": f"Bearer {token}"})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()
