"""How does a task say across machines that something happened? One request to the server's API, with its own token.

Nothing hangs on it: the records are what counts. Standard library only: the wrappers import this.
"""

import socket

PATH = "/v1/bell"
CALL_S = 5.0
ANSWER_BYTES_MAX = 4096


def call(url: str, token: str) -> bool:
    """Whether the server heard it. Written by hand: http.client would be loaded into every wrapper."""
    host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
    if not host or not port.isdigit() or not token:
        return False
    words = (f"POST {PATH} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}", "Content-Length: 0")
    try:
        with socket.create_connection((host, int(port)), timeout=CALL_S) as door:
            door.sendall("\r\n".join([*words, "Connection: close", "", ""]).encode())
            return door.recv(ANSWER_BYTES_MAX).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
