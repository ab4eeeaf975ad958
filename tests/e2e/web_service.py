"""A service for tests: says which version and which process it is, echoes over WebSocket, streams, can fall ill, and
tells the metric that stands in a file.

python web_service.py VERSION [dies | ill]
"""

import http
import os
import sys
import threading
import time
from pathlib import Path

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

VERSION, FAULTS = sys.argv[1], sys.argv[2:]


def answer(_connection: ServerConnection, request: Request) -> Response | None:
    """A plain answer, or None for who asks for a WebSocket."""
    if request.path == "/ws":
        return None
    if request.path == "/health" and ("ill" in FAULTS or Path(f"ill-{os.getpid()}").exists()):
        return Response(503, "Ill", Headers({"Content-Length": "0"}), b"")
    if request.path == "/slow":
        threading.Event().wait(0.5)
    if request.path == "/metrics" and not Path("gauge").exists():
        return Response(404, "None", Headers({"Content-Length": "0"}), b"")
    if request.path == "/metrics":
        page = f"# TYPE jobs gauge\njobs {Path('gauge').read_text()}\n".encode()
        return Response(http.HTTPStatus.OK, "OK", Headers({"Content-Length": str(len(page))}), page)
    body = f"{VERSION} {os.getpid()} {request.path} {os.environ['WEYR_BASE_PATH']}".encode()
    return Response(http.HTTPStatus.OK, "OK", Headers({"Content-Length": str(len(body))}), body)


def echo(connection: ServerConnection) -> None:
    """Says everything back, with who says it."""
    for message in connection:
        connection.send(f"{VERSION} {message!s}")


if __name__ == "__main__":
    if "dies" in FAULTS:
        sys.exit(3)
    with serve(echo, "127.0.0.1", int(os.environ["PORT"]), process_request=answer) as server:
        print("listens since", time.time(), flush=True)
        server.serve_forever()
