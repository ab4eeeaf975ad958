"""What is read of replicas that scale by a metric of their own?"""

import http.server
import threading
from collections.abc import Iterator

import pytest

from weyr.compose.metric_pages import MetricPage
from weyr.core.ref import Ref
from weyr.server.measuring import gauge_of, read

REF = Ref("shop", "service", "web")
PAGE = """
# TYPE jobs gauge
jobs{queue="a"} 3
jobs{queue="b"} 4
# TYPE done_total counter
done_total 12
untold 5
# TYPE broken gauge
broken NaN
"""


class _Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = {"/metrics": PAGE, "/page": "<html>hello</html>"}.get(self.path)
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write((body or "").encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_gauge_is_summed_over_its_samples() -> None:
    """One replica may hold several queues; a metric without a type is believed."""
    assert gauge_of(PAGE, "jobs", "/metrics") == 7
    assert gauge_of(PAGE, "untold", "/metrics") == 5


def test_each_replica_says_a_number_or_why_there_is_none(address: str) -> None:
    """Whoever asks why a count does not move reads what to mend."""
    asked = {
        "1": (address, "/metrics", "jobs"),
        "2": (address, "/metrics", "done_total"),
        "3": (address, "/metrics", "other"),
        "4": (address, "/metrics", "broken"),
        "5": (address, "/page", "jobs"),
        "6": (address, "/none", "jobs"),
        "7": ("127.0.0.1:1", "/metrics", "jobs"),
        "8": ("/nowhere.sock", "/metrics", "jobs"),
    }
    said = read([MetricPage(REF, part, *where) for part, where in asked.items()], 5.0)[REF]
    assert (said.at, said.values) == (5.0, {"1": 7.0})
    reasons = {
        "2": "done_total is a counter", "3": "has no other", "4": "broken is nan", "5": "is no page in Prometheus'",
        "6": "/none answers 404", "7": "nobody answers", "8": "nobody answers",
    }  # fmt: skip
    assert {part: reason for part, reason in reasons.items() if reason not in said.troubles[part]} == {}, said.troubles
