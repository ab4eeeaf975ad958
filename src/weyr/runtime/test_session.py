"""When a session's Jupyter is at work: asked of a stand-in for it that answers as it does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from weyr.runtime.session import has_busy_kernel

TOKEN = "open-sesame"


class Jupyter(BaseHTTPRequestHandler):
    """Kernels in the state that its server says, for those who know the token."""

    state = "idle"

    def do_GET(self) -> None:
        is_known = self.headers["Authorization"] == f"token {TOKEN}"
        is_untold = self.path == "/api/kernels?no_track_activity=1"
        self.send_response(200 if is_known and is_untold else 403)
        self.end_headers()
        self.wfile.write(json.dumps([{"id": "1", "execution_state": type(self).state}]).encode())

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a Jupyter says how it is asked."""
    with HTTPServer(("127.0.0.1", 0), Jupyter) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        said = {"url": f"http://127.0.0.1:{server.server_port}/", "token": TOKEN}
        (tmp_path / "jpserver-1.json").write_text(json.dumps(said))
        yield tmp_path
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("state", "is_busy"), [("busy", True), ("idle", False), ("starting", False)])
def test_a_kernel_that_only_waits_is_at_work(folder: Path, state: str, is_busy: bool) -> None:
    """A cell that waits for a download or a GPU uses no processor, and would be lost with the session."""
    Jupyter.state = state
    assert has_busy_kernel(str(folder)) is is_busy


def test_one_that_does_not_answer_keeps_no_session(tmp_path: Path) -> None:
    """It is starting, or over; a file that is half written says as little."""
    (tmp_path / "jpserver-1.json").write_text('{"url": "http://127.0.0.1:9/", "token": ""}')
    (tmp_path / "jpserver-2.json").write_text('{"url": "http:')
    assert not has_busy_kernel(str(tmp_path))
    assert not has_busy_kernel("")
