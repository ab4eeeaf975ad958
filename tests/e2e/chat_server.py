"""A language model's server in thirty lines: three words, streamed or not, and metrics under a name of its own."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}

THINKS = threading.Event()
"""Never set: its `wait` is the time that a token takes."""
METRICS = b"# HELP chat_words_total Words said.\n# TYPE chat_words_total counter\nchat_words_total 3\n"


class Chat(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer("text/plain", METRICS)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not asked.get("stream"):
            message = {"role": "assistant", "content": "one two three"}
            body = {"choices": [{"message": message}], "usage": USAGE}
            self._answer("application/json", json.dumps(body).encode())
            return
        chunks = [{"choices": [{"delta": {"content": word}}]} for word in ("one", "two", "three")]
        events = [*(json.dumps(chunk) for chunk in chunks), json.dumps({"choices": [], "usage": USAGE}), "[DONE]"]
        self._answer("text/event-stream", *(f"data: {event}\n\n".encode() for event in events))

    def _answer(self, kind: str, *pieces: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(sum(map(len, pieces))))
        self.end_headers()
        for number, piece in enumerate(pieces):
            THINKS.wait(0.01 if number else 0)
            self.wfile.write(piece)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Chat).serve_forever()
