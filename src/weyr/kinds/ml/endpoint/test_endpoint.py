"""An endpoint answers: while it is replaced, while replicas die, and while nobody knows how they are."""

from dataclasses import replace
from typing import Any

from endpoint_farm import Farm, endpoint, released, version

from weyr.core.decision import Phase
from weyr.kinds.ml.endpoint.look import ROUTE


def serving(replicas: int = 1, **fields: Any) -> Farm:
    """An endpoint that has been answering for a while."""
    farm = Farm(endpoint(scale={"min": replicas, "max": replicas + 2}, **fields))
    farm.step(4)
    assert farm.phase() is Phase.READY
    return farm


def test_it_waits_for_a_version_and_starts_nothing() -> None:
    """There is nothing to serve yet, and nothing to pay for."""
    farm = Farm(model={"name": "digits-digits"})

    decision = farm.step()

    assert farm.phase() is Phase.WAITING
    assert decision.conditions[0].message == "waits for model/digits@production: no version has that alias yet"
    assert farm.replicas == []


def test_it_is_ready_once_the_plane_sends_to_a_ready_replica() -> None:
    """The curl line that is shown works when it is shown, not a moment later."""
    farm = Farm(slow={"1"})
    starting = farm.step(3)
    farm.slow.clear()
    farm.is_lagging = True
    told = farm.step(2)
    farm.is_lagging = False
    ready = farm.step()

    assert [decision.conditions[0].status for decision in (starting, told, ready)] == [False, False, True]
    assert told.conditions[0].reason == "Starting"
    assert [note.event for note in ready.notes] == ["endpoint.serving"]
    assert ready.outputs == {"url": "http://plane/digits/digits", "model": "digits", "version": 1}
    assert ready.conditions[0].message == "version 1 on 1 replica"


def test_a_version_is_replaced_without_a_moment_unserved() -> None:
    """The old replicas answer until new ones are ready, and stop when the plane has let go of them."""
    farm = serving(2, rollout={"surge": "100%"})
    farm.model, farm.slow = version(2), {"3", "4"}
    farm.step(3)
    assert (farm.replicas, farm.wanted_route) == (["1", "2", "3", "4"], ["1", "2"])
    assert farm.phase() is Phase.READY

    farm.slow, farm.is_lagging = set(), True
    farm.step(3)
    assert (farm.replicas, farm.wanted_route) == (["1", "2", "3", "4"], ["3", "4"])

    farm.is_lagging, farm.inflight = False, {"1": 3}
    farm.step(2)
    assert farm.replicas == ["1", "3", "4"], "the idle one stops, the busy one may finish"

    farm.inflight = {}
    farm.step(3)
    assert farm.replicas == ["3", "4"]
    assert farm.step().outputs["version"] == 2


def test_as_many_always_answer_as_are_wanted_while_a_version_takes_over() -> None:
    """An old replica leaves for each new one that is ready, not when all of them are."""
    farm = serving(2, rollout={"surge": "100%"})
    farm.model, farm.slow = version(2), {"4"}
    farm.step(3)

    assert (len(farm.wanted_route), "3" in farm.wanted_route) == (2, True)


def test_a_request_that_does_not_end_holds_an_old_replica_for_its_grace_only() -> None:
    """A stream of hours must not keep an old version, and its price, for ever."""
    farm = serving(grace="30s")
    farm.model, farm.inflight = version(2), {"1": 1}
    farm.step(5)
    assert farm.replicas == ["1", "2"]

    farm.step(after_s=30)
    assert farm.replicas == ["2"]


def test_a_version_that_crashes_leaves_the_old_one_answering() -> None:
    """A bad model costs nobody a request, and says so; going back to the old one needs no new replica."""
    farm = serving()
    farm.model, farm.crashing = version(2), {"2", "3", "4", "5"}
    failed = farm.step(12)

    assert farm.phase() is Phase.FAILED
    assert "version 1 still answers" in failed.conditions[0].message
    assert farm.wanted_route == ["1"]

    farm.model = version(1)
    farm.step(3)
    assert (farm.phase(), farm.replicas) == (Phase.READY, ["1"])


def test_a_dead_replica_is_replaced_at_once_and_one_that_keeps_dying_ever_later() -> None:
    """One crash is no outage; a loop of them does not fill the machine."""
    farm = serving()
    farm.crashing = {str(number) for number in range(1, 20)}
    farm.step(2, after_s=0.1)
    assert farm.history.memory.last_number == 2

    waits = []
    for _ in range(5):
        farm.step(2, after_s=0)
        waits.append(farm.history.memory.side("").held.retry_at - farm.history.now)
        farm.step(2, after_s=max(waits[-1], 0.1))
    assert [round(wait) for wait in waits] == [2, 4, 8, 16, 32]
    assert farm.phase() is Phase.FAILED
    assert farm.step().conditions[0].message.endswith("See: weyr logs 'endpoint/digits#7'"), "not that of the next"


def test_crashes_far_apart_are_not_a_loop() -> None:
    """A replica that dies once a day for a week is back at once on the eighth."""
    farm = serving()
    for day in range(1, 8):
        farm.crashing = {str(day)}
        farm.step(3)
        assert farm.phase() is Phase.READY, f"on day {day}"
        farm.step(after_s=86400)


def test_applying_a_plan_tries_a_failed_endpoint_at_once() -> None:
    """`weyr up` after the fix does not wait for the last backoff."""
    farm = serving()
    farm.crashing = {str(number) for number in range(1, 8)}
    farm.step(20)
    assert farm.phase() is Phase.FAILED

    farm.crashing = set()
    farm.history.generation += 1
    farm.step(4, after_s=0.1)
    assert farm.phase() is Phase.READY


def test_silence_takes_no_replica_out_of_service() -> None:
    """The engine is asked about tasks; that it does not answer says nothing about who does."""
    farm = serving(2)
    farm.silent = {"1", "2"}
    farm.step(5)

    assert (farm.replicas, farm.wanted_route) == (["1", "2"], ["1", "2"])


def test_a_replica_that_was_never_ready_is_not_routed_for_being_silent() -> None:
    """Nothing is known of it that speaks for it."""
    farm = Farm(slow={"1"})
    farm.step(2)
    farm.silent = {"1"}
    decision = farm.step(2)

    assert farm.wanted_route == []
    assert farm.phase() is Phase.UNKNOWN
    assert decision.conditions[0].message == "version 1: 0 of 1 replicas ready, no news of 1"


def test_a_late_probe_does_not_take_the_last_replica_out() -> None:
    """Under load all probes are late at once, and then nobody would answer at all."""
    farm = serving(2)
    farm.slow = {"2"}
    farm.step(2)
    assert farm.wanted_route == ["1"]

    farm.slow = {"1", "2"}
    farm.step(2)
    assert farm.wanted_route == ["1"]


def test_a_silent_plane_stops_no_replica() -> None:
    """Whether it still sends to the old ones is not known, so they stay."""
    farm = serving()
    farm.model, farm.silent = version(2), {ROUTE}
    decision = farm.step(6)

    assert farm.replicas == ["1", "2"]
    assert farm.phase() is Phase.UNKNOWN
    assert decision.outputs["url"] == "http://plane/digits/digits"


def test_what_serves_goes_on_when_its_model_says_nothing() -> None:
    """An alias that was removed, or a registry that restarts, takes nothing down and restarts what dies."""
    farm = serving()
    farm.model, farm.crashing = {}, {"1"}
    decision = farm.step(4)

    assert (farm.phase(), farm.replicas) == (Phase.READY, ["2"])
    assert decision.conditions[0].message.endswith("; model/digits@production names no version now")


def test_more_resources_are_a_rolling_replacement_too() -> None:
    """A limit is raised as a version is: nobody waits."""
    farm = serving()
    farm.spec = endpoint(scale={"min": 1, "max": 3}, resources={"cpu": 2})
    farm.step(4)

    assert farm.replicas == ["2"]


def test_a_held_endpoint_lets_go_of_everything_and_comes_back() -> None:
    """A budget's stop is a drain, not a crash."""
    farm = serving(2)
    farm.is_held, farm.inflight = True, {"2": 1}
    farm.step(3)
    assert (farm.phase(), farm.replicas, farm.wanted_route) == (Phase.HELD, ["2"], [])

    farm.inflight = {}
    farm.step(2)
    assert farm.replicas == []

    farm.is_held = False
    farm.step(4)
    assert (farm.phase(), farm.replicas) == (Phase.READY, ["3", "4"])


def test_a_held_endpoint_starts_nothing() -> None:
    """Also one that has never been up."""
    for model in (version(1), {}):
        farm = Farm(model=model, is_held=True)
        farm.step(3)
        assert (farm.phase(), farm.replicas) == (Phase.HELD, [])


def test_a_refused_route_is_a_failure_that_is_said_again() -> None:
    """Two stacks may want one address; when the other goes, this one takes it."""
    farm = Farm()
    farm.step()
    route = farm.history.things[ROUTE]
    farm.history.things[ROUTE] = replace(route, is_accepted=False, refusal="the route belongs to another")
    decision = farm.step(after_s=0)

    assert decision.conditions[0].message == "the route belongs to another"
    assert [action for action in decision.actions if getattr(action, "again", False)]


def test_a_refused_replica_counts_as_a_crash() -> None:
    """An endpoint that asks for more CPUs than there are says why it does not come up."""
    farm = Farm()
    for _ in range(8):
        decision = farm.step(after_s=8)
        for part in farm.replicas:
            refused = replace(farm.history.things[part], is_accepted=False, refusal="it asks for 64 CPUs")
            farm.history.things[part] = refused

    assert farm.phase() is Phase.FAILED
    assert "it asks for 64 CPUs" in decision.conditions[0].message


def test_a_replica_that_vanished_is_let_go_of() -> None:
    """Only what was released has its meter closed; a machine that forgot a replica must not bill it for ever."""
    farm = serving()
    farm.vanished = {"1"}

    assert released(farm.step()) == ["1"]
    farm.step(3)
    assert list(farm.history.things) == [ROUTE, "2"]


def test_removal_begins_with_the_route_and_ends_with_proof() -> None:
    """Nobody is sent to a replica that stops, and nothing is left that would cost."""
    farm = serving(2)
    farm.spec = None
    assert released(farm.step()) == [ROUTE]
    assert released(farm.step()) == ["1", "2"]
    assert farm.step().forget


def test_removal_does_not_wait_for_ever() -> None:
    """A request without end, or a plane that is gone, delays `weyr down` by the grace and no more."""
    farm = serving(grace="30s")
    farm.spec, farm.silent = None, {ROUTE}
    farm.step(3)
    assert farm.replicas == ["1"]

    decision = farm.step(after_s=30)
    assert released(decision) == ["1", ROUTE]
    assert not farm.step(3).forget, "the route may still be there"
