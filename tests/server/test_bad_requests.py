"""What a caller gets wrong is answered with what is wrong: never with a traceback, never with an error of ours."""

from collections.abc import Mapping

import pytest

from weyr.cli.offline import OfflineClient
from weyr.server.offline import offline_app


class Asked(OfflineClient):
    """The application, asked as it stands: what it raises comes through."""

    def status(self, method: str, path: str, body: object = None, query: Mapping[str, object] | None = None) -> int:
        status, text = self._exchange(method, path, body, dict(query or {}))
        assert status < 400 or b'"diagnostics"' in text, text
        return status


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    return Asked(offline_app(tmp_path_factory.mktemp("bad") / "home"))


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/v1/events", "after", "abc"),
        ("/v1/events", "after", "-1"),
        ("/v1/events", "after", str(2**70)),
        ("/v1/events", "limit", "abc"),
        ("/v1/events", "limit", "-1"),
        ("/v1/events", "ref", "garbage"),
        ("/v1/events/stream", "after", "abc"),
        ("/v1/logs", "id", "garbage"),
        ("/v1/logs", "id", "digits:job/" + "x" * 400),
        ("/v1/logs", "ref", "garbage"),
        ("/v1/logs", "stack", "digits"),
        ("/v1/audit", "limit", "abc"),
        ("/v1/audit", "limit", "-1"),
        ("/v1/cost", "by", "abc"),
    ],
)
def test_a_bad_parameter_is_a_bad_request(server: Asked, path: str, name: str, value: str) -> None:
    assert server.status("GET", path, query={name: value}) == 400


@pytest.mark.parametrize("tail", ["x", "-3"])
def test_a_bad_tail_is_a_bad_request(server: Asked, tail: str) -> None:
    assert server.status("GET", "/v1/logs", query={"id": "digits:job/train#1", "tail": tail}) == 400


@pytest.mark.parametrize(
    "body", [[1], 5, "text", {"text": 5}, {"text": "stack: a\n", "file": "/\ud800"}, {"remove": 1}]
)
def test_a_body_of_another_shape_is_a_bad_request(server: Asked, body: object) -> None:
    assert server.status("POST", "/v1/plans", body) == 400


def test_a_body_without_bottom_is_a_bad_request(server: Asked) -> None:
    deep: list[object] = []
    for _ in range(900):
        deep = [deep]
    assert server.status("POST", "/v1/plans", deep) == 400


def test_a_log_is_never_read_from_elsewhere(server: Asked) -> None:
    assert server.status("GET", "/v1/logs", query={"id": "a:b/../../../etc"}) == 404


def test_a_method_that_no_route_has_says_so(server: Asked) -> None:
    assert server.status("DELETE", "/v1/stacks") == 405
