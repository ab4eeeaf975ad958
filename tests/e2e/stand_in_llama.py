"""Stands in for llama.cpp's server where none is built: takes the arguments that Weyr's template writes, refuses any
other, loads nothing but a file that is GGUF, and answers at the same paths. That the real one takes them is for its own
documentation to say (tools/server/README.md); building it takes longer than all tests together. By hand the real one
(0.5.0-dev, commit 0c1e570) was started by this template on a random model of one layer: OpenAI's client had its list of
models, a completion and a stream through the plane.
"""

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--model", type=Path, required=True)
parser.add_argument("--alias", required=True)
parser.add_argument("--host", required=True)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--metrics", action="store_true", required=True)
parser.add_argument("--ctx-size", type=int)
OPTIONS = parser.parse_args()
assert OPTIONS.model.read_bytes()[:4] == b"GGUF", "invalid magic characters"

METRICS = """\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 71
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 33
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 2
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 5
"""
"""As the documentation of the server names them, in the format in which it writes them."""


class Server(BaseHTTPRequestHandler):
    """The paths that Weyr asks for, and the list of models."""

    def do_GET(self) -> None:
        pages = {
            "/health": json.dumps({"status": "ok"}),
            "/v1/models": json.dumps({"object": "list", "data": [{"id": OPTIONS.alias, "ctx": OPTIONS.ctx_size}]}),
            "/metrics": METRICS,
        }
        text = pages.get(self.path, "").encode()
        self.send_response(200 if text else 404)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        return


ThreadingHTTPServer((OPTIONS.host, OPTIONS.port), Server).serve_forever()
