"""What happens on another machine is told to the server at once, not found at its next look."""

import http.server
import threading
from collections.abc import Iterator
from queue import Queue

import pytest
from engines import Program, SlurmWorld, task_id

from weyr.attempt.bell import PATH

WITHIN_S = 90.0


@pytest.fixture
def rung() -> Iterator[tuple[str, Queue[tuple[str, str]]]]:
    """Where a server listens, and whose tokens came to its bell."""
    heard: Queue[tuple[str, str]] = Queue()

    class Api(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.put((self.path, self.headers["Authorization"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()


def test_a_start_and_an_end_ring_at_the_server_from_afar(rung: tuple[str, Queue[tuple[str, str]]]) -> None:
    """No doorbell of the server is on the task's machine: its wrapper asks the API, as the task and nobody else. The
    record is there before the bell rings for it."""
    url, heard = rung
    world = SlurmWorld()
    world.surroundings["WEYR_API_URL"] = url
    try:
        world.ensure(task_id(), Program(runs_s=0.5))
        first = heard.get(timeout=WITHIN_S)
        last = heard.get(timeout=WITHIN_S)
        assert first == last
        path, token = last
        assert path == PATH
        assert token == f"Bearer {world.issuer.issued[f'task:{task_id()}'].token}"
        assert (world.home / "slurm" / ".ring").exists(), "who cannot be asked is told by a file's time"
        assert world.ended(task_id()).end is not None
    finally:
        world.close()
