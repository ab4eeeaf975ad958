"""What do several processes of the plane say together? What scaling, rollouts and bills are worked out from."""

from typing import Any

from weyr.engines.local.plane_stats import merged


def endpoint(generation: int = 3, **fields: Any) -> dict[str, Any]:
    version = {"name": "1", "requests": 2, "buckets": [1, 1], "shadow": {"compared": 1}}
    replicas = {"1": {"inflight": 1, "requests": 2, "out": ""}}
    return {
        "thing": "t", "generation": generation, "inflight": 1, "waiting": 2, "requests": 5, "errors": 1,
        "last_request_at": None, "replicas": replicas, "versions": [version], **fields,
    }  # fmt: skip


def test_what_each_counts_is_added_up() -> None:
    """An endpoint is scaled by all of its load, whichever process took it; a replica stops once nobody uses it."""
    told = merged([{"a/b": endpoint()}, {"a/b": endpoint(last_request_at=7.0)}])["a/b"]
    assert (told["inflight"], told["waiting"], told["requests"], told["last_request_at"]) == (2, 4, 10, 7.0)
    assert told["replicas"] == {"1": {"inflight": 2, "requests": 4, "out": ""}}
    assert told["versions"] == [{"name": "1", "requests": 4, "buckets": [2, 2], "shadow": {"compared": 2}}]


def test_a_route_is_applied_once_all_have_applied_it() -> None:
    """A replica is not stopped while one process still sends to it, or a rollout counted before it is there."""
    assert merged([{"a/b": endpoint(4)}, {"a/b": endpoint(3)}])["a/b"]["generation"] == 3
    assert merged([{"a/b": endpoint(4)}, {}])["a/b"]["generation"] == 0
