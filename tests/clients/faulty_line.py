"""A line to a server that can be cut, held up, answered for, or made to carry other bytes: a real TCP proxy."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
CUT_AFTER = 300_000


class FaultyLine:
    """Listens on `url` and passes all on to `target`. `fault` is how it does from now on:

    `""` as it came · `hang` nothing comes back · `cut` an answer ends after 300 kB · `500` every request fails ·
    `flip` one bit of each longer answer is another. Takes: `delay_s`, how long each answer is held up.
    """

    def __init__(self, target: str, delay_s: float = 0.0) -> None:
        parts = urlsplit(target)
        self._target = parts.hostname or "", parts.port or 80
        self._delay_s = delay_s
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._open: set[socket.socket] = set()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.fault = ""
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, fault: str) -> None:
        """From now on, also for clients that are connected."""
        self.fault = fault
        self.drop()

    def drop(self) -> None:
        """Ends every connection."""
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        try:
            if self.fault == "500":
                client.recv(65536)
                client.sendall(ERROR)
                return
            with socket.create_connection(self._target) as server:
                self._open.add(server)
                there = threading.Thread(target=self._pass, args=(client, server, False), daemon=True)
                there.start()
                self._pass(server, client, True)
                self._open.discard(server)
        except OSError:
            return
        finally:
            self._open.discard(client)
            client.close()

    def _pass(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(65536):
                if is_answer:
                    if self._delay_s:
                        time.sleep(self._delay_s if passed == 0 else 0)
                    if self.fault == "hang":
                        continue
                    if self.fault == "cut" and passed + len(data) > CUT_AFTER:
                        break
                    if self.fault == "flip" and passed > CUT_AFTER // 3:
                        data = data[:-1] + bytes([data[-1] ^ 1])
                passed += len(data)
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def faulty_line(target: str, delay_s: float = 0.0) -> Iterator[FaultyLine]:
    line = FaultyLine(target, delay_s)
    try:
        yield line
    finally:
        line.close()
