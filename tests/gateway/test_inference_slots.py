"""How long a replica works on a request is counted from when it had a slot for it, not from when it was sent."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from inference_plane import ROUTE, Plane, echo_replica, running_plane

from weyr.core.routes import RouteBody, RouteVersion
from weyr.core.work_times import counted, seconds_in

ASKED = 16
WORK_S = 0.25


def burst(plane: Plane, slots: int, version: str) -> tuple[float, float]:
    """What the program says that it worked, and what the plane counts, of a burst at a replica with two slots."""
    replicas = (("a", str(plane.home / "a.sock")),)
    plane.tell(RouteBody(ROUTE, (RouteVersion(version, replicas=replicas),), slots=slots))
    with ThreadPoolExecutor(ASKED) as pool:
        answers = list(pool.map(lambda _: plane.ask(f"/{ROUTE}/?work={WORK_S}"), range(ASKED)))
    assert {status for status, _ in answers} == {200}
    counts = next(each for each in plane.facts().versions if each.name == version)
    assert counts.worked == ASKED == sum(counts.work_classes[1::2])
    by_class = sum(seconds_in(place) * count for place, count in counted(counts.work_classes).items())
    assert by_class == pytest.approx(counts.worked_s, rel=0.05), "a class is a tenth wide"
    return sum(json.loads(body)["worked_s"] for _, body in answers), counts.worked_s


def test_what_waits_inside_a_replica_is_not_being_worked_on() -> None:
    """Sixteen at once at a program that works on two: counted since they were sent, each would seem to take four times
    as long as it does, and four times as many replicas would be started."""
    with running_plane() as plane, echo_replica(plane.home / "a.sock", "a"):
        worked_s, counted_s = burst(plane, slots=2, version="told")
        assert counted_s < 2 * worked_s, "a busy machine adds to the way there and back"

        worked_s, counted_s = burst(plane, slots=0, version="untold")
        assert counted_s > 2.5 * worked_s, "without slots all that it has is taken to be worked on"
