"""What the endpoints of the traffic test run: a model that says its name, and a server that can do nothing."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Named:
    """Answers with the name that stands in its version's folder, once for each number that it is given."""

    def load(self, folder: Path) -> None:
        self.name = (folder / "name.txt").read_text()

    def predict(self, x: list[float]) -> list[str]:
        return [self.name] * len(x)


class Unwell(BaseHTTPRequestHandler):
    """Says that it is out of order, in the words of HTTP."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Unwell).serve_forever()
