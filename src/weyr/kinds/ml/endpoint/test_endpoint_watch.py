"""What is noted of requests follows the file, and disturbs no replica."""

import pytest
from endpoint_farm import DIGITS, Farm, endpoint

from weyr.core.capability import TaskBody
from weyr.core.decision import Need, Phase
from weyr.core.ref import Ref
from weyr.core.routes import RouteBody
from weyr.core.watch import PayloadLog, Watch
from weyr.kinds.ml.endpoint.look import ROUTE
from weyr.kinds.ml.endpoint.watching import COLLECTOR, watch_of

TRACES = {"to": "http://127.0.0.1:4318", "sample": "1%"}
LOG = {"bucket": "lake", "sample": "10%", "redact": ["messages[*].content"], "max_bytes": "4KiB"}


def test_the_plane_is_told_what_to_note() -> None:
    """The bucket by its name at the S3 door, and nothing while nobody knows that."""
    watching = endpoint(watch={"callers": False, "traces": TRACES, "log": LOG}).watch
    lake = {Ref("digits", "bucket", "lake"): Need(Phase.READY, {"name": "digits-lake"})}

    log = PayloadLog("digits-lake", "payloads/", 0.1, ("messages[*].content",), 4096)
    assert watch_of(DIGITS, watching, lake) == Watch(False, "http://127.0.0.1:4318", 0.01, log)
    assert watch_of(DIGITS, watching, {}).log is None


def test_a_change_of_what_is_noted_restarts_no_replica() -> None:
    """Somebody turns traces on because something is slow now, not to begin anew."""
    farm = Farm()
    farm.step(3)
    before = farm.replicas
    farm.spec = endpoint(watch={"traces": TRACES})
    farm.step(3)

    body = farm.history.things[ROUTE].body
    assert isinstance(body, RouteBody)
    assert (farm.replicas, body.watch.traces_to) == (before, TRACES["to"])


def test_replicas_know_the_collector() -> None:
    """Their spans go where the plane's go, whatever program they are."""
    farm = Farm(endpoint(watch={"traces": TRACES}))
    farm.step(2)

    body = farm.history.things["1"].body
    assert isinstance(body, TaskBody)
    assert body.env[COLLECTOR] == TRACES["to"]


@pytest.mark.parametrize("said", [{"redact": ["/(/"]}, {"sample": "0%"}, {"prefix": "../"}], ids=str)
def test_a_log_that_cannot_be_meant_is_refused(said: dict[str, object]) -> None:
    """In the plan, not at the first request."""
    with pytest.raises(ValueError, match="log"):
        endpoint(watch={"log": {"bucket": "lake", **said}})
