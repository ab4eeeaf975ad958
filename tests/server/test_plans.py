"""Plans through the application of a data folder, without a server."""

from pathlib import Path

import pytest

from weyr.cli.offline import OfflineClient, offline_client

STACK = "stack: small\nbuckets: {lake: {}}\njobs: {hello: {run: echo hello}}\n"


@pytest.fixture
def client(tmp_path: Path) -> OfflineClient:
    return offline_client(tmp_path / "home")


def test_a_plan_made_again_elsewhere_begins_there(client: OfflineClient) -> None:
    """The same file in two clones makes the same plan; applied, its jobs run where it was made last."""
    first = client.call("POST", "/v1/plans", {"text": STACK, "file": "/here/weyr.yaml"})
    again = client.call("POST", "/v1/plans", {"text": STACK, "file": "/there/weyr.yaml"})
    assert first["id"] == again["id"]

    client.call("POST", f"/v1/plans/{first['id']}/apply")

    assert client.call("GET", "/v1/stacks")["stacks"][0]["file"] == "/there/weyr.yaml"


def test_the_same_plan_twice_is_no_news(client: OfflineClient) -> None:
    """Two people who bring the same stack up at once are both right."""
    plan = client.call("POST", "/v1/plans", {"text": STACK, "file": "/here/weyr.yaml"})["id"]

    for _ in range(2):
        assert client.call("POST", f"/v1/plans/{plan}/apply")["plan"] == plan

    events = client.call("GET", "/v1/events")["events"]
    assert [event["event"] for event in events].count("plan.applied") == 1
