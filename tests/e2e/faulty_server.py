"""An HTTP server for tests of faults: it dies, stalls, lies or eats memory when it is told to.

python faulty_server.py [eats | dies-once]
"""

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOARD: list[bytes] = []


def eat() -> None:
    """Takes memory until somebody ends it."""
    while True:
        HOARD.append(b"x" * 2**23)
        time.sleep(0.01)


class Faulty(BaseHTTPRequestHandler):
    """Does what its path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length", 0))
        self.rfile.read(length)
        match self.path.rpartition("/")[2]:
            case "die":
                os._exit(7)
            case "stream":
                self._stream()
            case "garbage":
                self.wfile.write(b"\x00\xff this is no HTTP at all\r\n\r\n" * 10)
                self.close_connection = True
            case "slow":
                while not Path("slow-ends").exists():
                    threading.Event().wait(0.02)
                self._say(str(os.getpid()))
            case "eat":
                eat()
            case _:
                self._say(str(os.getpid()))

    do_POST = do_GET  # noqa: N815 - the name that http.server asks for

    def _say(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nfirst\r\n")
        self.wfile.flush()
        os._exit(7)

    def log_message(self, *_: object) -> None:
        return


def main(faults: list[str]) -> None:
    if "eats" in faults:
        eat()
    mark = Path("died-once")
    if "dies-once" in faults and not mark.exists():
        mark.touch()
        os._exit(3)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Faulty).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
