"""What may be relied on of every engine that routes requests, beside what holds of every service."""

import json
from collections.abc import Iterator

import pytest
from inference_plane import until
from traffic_routers import LocalTrafficRouter, TrafficRouter

from weyr.core.capability import Wanted
from weyr.core.routes import RouteBody
from weyr.core.seen import Absent, RouteFacts, Unknown


@pytest.fixture
def local() -> Iterator[LocalTrafficRouter]:
    router = LocalTrafficRouter()
    yield router
    router.close()


def facts(router: TrafficRouter) -> RouteFacts:
    found = router.present(router.id()).facts
    assert isinstance(found, RouteFacts)
    return found


def test_a_route_tells_where_it_is_and_which_routing_it_has_applied(router: TrafficRouter) -> None:
    """Old replicas are let go only once the plane says that it sends to the new ones."""
    id = router.make(generation=4)
    found = facts(router)
    assert found.url.endswith(f"/{router.name(id)}")
    assert (found.generation, found.replicas) == (4, (("1", 0),))
    assert router.ensure(router.want(id, 5, replicas=("2", "3"))) == {}
    found = facts(router)
    assert (found.generation, found.replicas) == (5, (("2", 0), ("3", 0)))


def test_a_late_routing_does_not_undo_a_newer_one(router: TrafficRouter) -> None:
    """Requests would go to replicas that are gone."""
    id = router.make(generation=4)
    router.ensure(router.want(id, 6, replicas=("2",)))
    assert id in router.ensure(router.want(id, 5, replicas=("1",)))
    assert facts(router).replicas == (("2", 0),)


def test_a_route_belongs_to_one_thing(router: TrafficRouter) -> None:
    """Nobody's requests end at somebody else's model."""
    id, rival, third = router.make(), router.id("rival"), router.id("third")
    refused = router.ensure(Wanted(rival, 9, RouteBody(router.name(id))), router.want(third))
    assert list(refused) == [rival]
    assert str(id) in refused[rival].reason
    router.release(rival)
    assert router.inventory() == [id, third]


def test_one_wish_of_two_for_one_route_in_a_batch_is_refused(router: TrafficRouter) -> None:
    """The first has it by the time the second is looked at."""
    id, rival = router.id(), router.id("rival")
    body = RouteBody(router.name(id))
    assert list(router.ensure(Wanted(id, 1, body), Wanted(rival, 1, body))) == [rival]
    assert router.inventory() == [id]


def test_requests_reach_the_replicas_before_and_after_the_planes_death(local: LocalTrafficRouter) -> None:
    """The plane is killed, comes back with the routing it had, and what was released meanwhile is gone."""
    local.start_replica("1")
    id, other = local.make(), local.make("other")
    assert json.loads(local.plane.ask(f"/{local.name(id)}/v2")[1])["replica"] == "1"
    local.plane.kill()
    seen = local.provider.observe([id, other, local.id("never")])
    assert isinstance(seen[id], Unknown)
    assert seen[local.id("never")] == Absent(), "who is not in the file cannot be served by anybody"
    local.release(other)
    assert local.provider.observe([other])[other] == Absent()
    local.plane.info.unlink()
    local.come_back()
    assert json.loads(local.plane.ask(f"/{local.name(id)}/v2")[1])["replica"] == "1"
    assert local.plane.ask(f"/{local.name(other)}/v2")[0] == 404
    assert local.inventory() == [id]


def test_a_released_route_is_absent_only_once_its_requests_are_answered(local: LocalTrafficRouter) -> None:
    """The replica behind it is stopped on Absent, and somebody still waits for it."""
    id = local.make()
    held = local.hold_a_request(local.name(id))
    until(lambda: facts(local).waiting == 1, "the request is held")
    local.release(id)
    seen = local.observe(id)
    assert local.inventory() == []
    until(lambda: local.observe(id) == Absent(), "the route is gone")
    assert held() in (404, 503), seen


@pytest.mark.parametrize("route", ["", "digits", "a/b/c", "Up/case", "a b/c", "../x", "a/"])
def test_a_route_that_cannot_be_is_refused_alone(local: LocalTrafficRouter, route: str) -> None:
    """One such name must not keep the rest of the batch from being routed."""
    wrong, right = local.id("wrong"), local.id("right")
    refused = local.ensure(Wanted(wrong, 1, RouteBody(route)), local.want(right))
    assert list(refused) == [wrong]
    assert local.inventory() == [right]
