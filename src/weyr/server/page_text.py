"""How is a replica's page of metrics read? From its port or its Unix socket, within a second or so."""

import http.client
import socket

ASK_S = 1.0
PAGE_BYTES_MAX = 8 << 20


class Connection(http.client.HTTPConnection):
    """The standard client, to HOST:PORT or to the path of a Unix socket."""

    def __init__(self, address: str, timeout_s: float) -> None:
        host, _, port = address.rpartition(":")
        self._path = address if address.startswith("/") else ""
        super().__init__(host or "localhost", None if self._path else int(port), timeout=timeout_s)

    def connect(self) -> None:
        if not self._path:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def page_text(address: str, path: str) -> str:
    """What is there at HOST:PORT, or at the path of a socket. Raises: OSError with a clause that says what is wrong."""
    connection = Connection(address, ASK_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(PAGE_BYTES_MAX)
    except (OSError, http.client.HTTPException) as e:
        raise OSError(f"nobody answers at {path}: {str(e) or type(e).__name__}") from e
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise OSError(f"{path} answers {answer.status}")
    return text.decode(errors="replace")
