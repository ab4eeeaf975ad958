"""A server that greets, or fails for every other caller when FAULTY is set: what the endpoint of weyr.yaml runs."""

import itertools
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COUNT = itertools.count()


class Greeter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        is_broken = bool(os.environ.get("FAULTY")) and next(COUNT) % 2 == 0
        text = b"oops" if is_broken else os.environ["GREETING"].encode()
        self.send_response(500 if is_broken else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """A line for each request would be most of its work."""


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Greeter).serve_forever()
