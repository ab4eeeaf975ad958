"""A new version comes by steps, goes back by itself, and nobody is left without an answer."""

import re
from typing import Any

import pytest
from any_history import History, Move, goes_away, moves
from endpoint_farm import DIGITS, MODEL, Farm, alias, endpoint, version
from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.decision import Need, Phase, Release
from weyr.core.routes import RouteBody, VersionCounts, problems_of
from weyr.core.seen import EndReason, RouteFacts, TaskEnd, TaskFacts, TaskState
from weyr.kinds.ml.endpoint import KIND
from weyr.kinds.ml.endpoint.look import ROUTE
from weyr.kinds.ml.endpoint.progress import refuses

CANARY = {"strategy": "canary", "steps": ["5%", "50%"], "every": "1m", "min_requests": 100, "keep_old": "1m"}
BLUE_GREEN = {"strategy": "blue-green", "keep_old": "5m"}


def canary(replicas: int = 2, **fields: Any) -> Farm:
    """An endpoint at version 1, whose version 2 has its first replica and its first share."""
    farm = Farm(endpoint(scale={"min": replicas, "max": replicas + 2}, rollout={**CANARY, **fields}))
    farm.step(6)
    farm.model = version(2)
    farm.step(4)
    return farm


def notes(farm: Farm) -> list[str]:
    return [note.event for note in farm.history.story if note.event.startswith("rollout.")]


def test_a_canary_gets_its_share_beside_all_old_replicas() -> None:
    """Whoever is not in the canary notices nothing, and going back costs no start."""
    farm = canary()

    assert farm.weights == {"1": 9500, "2": 500}
    assert farm.replicas == ["1", "2", "3"]
    assert notes(farm) == ["rollout.begun", "rollout.step"]


def test_a_canary_goes_on_by_steps_and_the_old_version_leaves_last() -> None:
    """Each step takes its time and its requests; the old replicas stay until it has kept all of them."""
    farm = canary()
    farm.answered("1", 2000)
    farm.answered("2", 100)
    farm.step(3, after_s=10)
    assert farm.weights == {"1": 9500, "2": 500}, "not before its time"

    farm.step(6, after_s=10)
    assert farm.weights == {"1": 5000, "2": 5000}
    farm.answered("2", 99)
    farm.step(10, after_s=60)
    assert farm.weights == {"1": 5000, "2": 5000}, "not before its requests"

    farm.answered("2", 1)
    farm.step(4)
    assert (farm.weights, farm.replicas) == ({"1": 0, "2": 10000}, ["1", "2", "3", "4"])
    farm.step(10, after_s=10)
    assert (farm.weights, farm.replicas) == ({"2": 10000}, ["3", "4"])
    assert notes(farm)[-1] == "rollout.completed"
    assert farm.step().conditions[0].message == "version 2 on 2 replicas"


def test_a_canary_that_fails_is_taken_back_in_one_look_and_not_tried_again() -> None:
    """Callers are spared, whoever looks is told why, and the same version does not come back by itself."""
    farm = canary()
    farm.answered("1", 1000, errors=1)
    farm.answered("2", 60, errors=12)
    decision = farm.step()

    assert farm.weights == {"1": 10000}
    assert farm.wanted_route == ["1", "2"]
    why = "version 2 was taken back at 5% of the requests: 12 of 60 requests failed (20.0%, limit 5.0%)"
    assert why in decision.conditions[0].message
    assert [note.message for note in decision.notes] == [why]

    farm.step(20, after_s=60)
    assert (farm.replicas, farm.phase()) == (["1", "2"], Phase.READY)
    farm.model = version(3)
    farm.step(4)
    assert farm.weights == {"1": 9500, "3": 500}


def test_a_version_that_was_taken_back_is_tried_again_when_somebody_says_so() -> None:
    """By `weyr promote`, or by another file."""
    for begin in ("promote", "file"):
        farm = canary()
        farm.answered("2", 60, errors=12)
        farm.step(4)
        if begin == "promote":
            farm.order = "promote"
        else:
            farm.spec = endpoint(scale={"min": 2, "max": 4}, rollout={**CANARY, "abort_if": {"errors": "30%"}})
        farm.step(4)
        assert farm.weights == {"1": 9500, "2": 500}, begin


def test_a_step_says_when_it_will_have_its_requests() -> None:
    """Too little traffic is why most canaries never end; whoever looks on the first day should know."""
    farm = canary()
    farm.step(10, after_s=60)
    assert "it has answered 0 of 100 requests, none so far" in farm.step().conditions[0].message
    farm.answered("2", 1)
    assert re.search("1 of 100 requests, the rest in 1[0-9]h", farm.step(2).conditions[0].message)


def test_what_went_wrong_before_its_step_is_not_held_against_it() -> None:
    """Counts are the plane's since its start: a version that failed last week may have been mended by its caller."""
    farm = Farm(endpoint(scale={"min": 1, "max": 2}, rollout=CANARY))
    farm.answered("2", 1000, errors=900)
    farm.step(6)
    farm.model = version(2)
    farm.step(6)

    assert farm.weights == {"1": 9500, "2": 500}


def test_counts_that_begin_anew_are_added_up() -> None:
    """The plane may be started again in the middle of a step."""
    farm = canary()
    farm.answered("2", 70)
    farm.step(2, after_s=20)
    farm.counts = {}
    farm.answered("2", 29)
    farm.step(4, after_s=20)
    assert farm.weights["2"] == 500

    farm.answered("2", 1)
    farm.step(4)
    assert farm.weights["2"] == 5000


def test_a_canary_whose_replicas_keep_dying_is_taken_back_before_anybody_is_sent_there() -> None:
    """A version that cannot even start costs nobody a request."""
    farm = canary()
    farm.crashing = {str(number) for number in range(3, 30)}
    decision = farm.step(20, after_s=3)

    assert notes(farm)[-1] == "rollout.aborted"
    assert "its replicas keep failing" in decision.conditions[0].message
    assert (farm.phase(), farm.wanted_route) == (Phase.READY, ["1", "2"])


def test_blue_green_moves_all_requests_at_once_when_all_is_warm() -> None:
    """Nobody waits for a cold replica, and no two versions answer at a time."""
    farm = Farm(endpoint(scale={"min": 2, "max": 4}, rollout=BLUE_GREEN), slow={"4"})
    farm.step(6)
    farm.model = version(2)
    farm.step(6)
    assert (farm.weights, farm.replicas) == ({"1": 10000, "2": 0}, ["1", "2", "3", "4"])

    farm.slow = set()
    farm.step(3)
    assert (farm.weights, farm.replicas) == ({"1": 0, "2": 10000}, ["1", "2", "3", "4"])
    farm.step(8, after_s=60)
    assert farm.replicas == ["3", "4"]


def test_blue_green_goes_back_in_one_look_while_the_old_replicas_stay() -> None:
    """A rollback is a matter of seconds, for nothing has to start."""
    farm = Farm(endpoint(scale={"min": 2, "max": 4}, rollout=BLUE_GREEN))
    farm.step(6)
    farm.model = version(2)
    farm.step(6)
    farm.order = "abort"
    farm.step()

    assert (farm.weights, farm.wanted_route) == ({"1": 10000}, ["1", "2"])
    assert farm.step(3).conditions[0].message.endswith("version 2 was taken back at 100% of the requests: by order")


@pytest.mark.parametrize("strategy", ["rolling", "canary", "blue-green"])
def test_where_there_is_no_room_for_both_one_goes_for_one(strategy: str) -> None:
    """A model that fills the machine is replaced one by one, and never are all of its replicas away."""
    rollout = {"strategy": strategy} if strategy != "canary" else CANARY
    farm = Farm(endpoint(scale={"min": 3, "max": 3}, rollout=rollout))
    farm.step(6)
    farm.model = version(2)
    fewest = 3
    for _ in range(200):
        new = [part for part in farm.history.things if part not in (ROUTE, "1", "2", "3")]
        old = [p for p in ("1", "2", "3") if p in farm.history.things]
        farm.queued = set(new[max(0, 3 - len(old)) :])
        farm.answered("2", 100)
        farm.answered("1", 1000)
        farm.step(after_s=5)
        fewest = min(fewest, len(farm.wanted_route))

    assert len(farm.replicas) == 3
    assert not {"1", "2", "3"} & set(farm.replicas)
    assert fewest >= 2


def test_the_only_replica_is_never_taken_for_want_of_room() -> None:
    """Whoever wants the old one stopped before the new one is up has to say so."""
    farm = Farm(endpoint(rollout=BLUE_GREEN), queued={"2"})
    farm.step(6)
    farm.model = version(2)
    farm.step(20, after_s=10)
    assert farm.wanted_route == ["1"]

    farm.spec = endpoint(rollout={**BLUE_GREEN, "unavailable": 1})
    farm.step(3, after_s=20)
    assert "1" not in farm.wanted_route


def test_orders_by_hand_are_carried_out_once() -> None:
    """Pause holds a step, resume lets it go on, promote ends it."""
    farm = canary()
    farm.answered("1", 1000)
    farm.answered("2", 500)
    farm.order = "pause"
    farm.step(20, after_s=30)
    assert farm.weights["2"] == 500
    assert refuses(farm.history.memory, "pause") == "it is paused already"

    farm.order = "resume"
    farm.step(3, after_s=30)
    assert farm.weights["2"] == 5000

    farm.order = "promote"
    farm.step(8)
    assert (farm.weights, len(farm.replicas)) == ({"2": 10000}, 2)
    assert refuses(farm.history.memory, "abort") == "no new version is on its way"


def test_a_version_that_is_replaced_on_its_way_leaves_to_the_next() -> None:
    """Two good evenings in a row: the second model does not wait for the first."""
    farm = canary()
    farm.model = version(3)
    farm.step(6)
    assert farm.weights == {"1": 9500, "3": 500}

    farm.model = version(1)
    farm.step(6)
    assert (farm.weights, farm.replicas) == ({"1": 10000}, ["1", "2"])


def test_the_first_version_and_one_that_mends_a_broken_one_need_no_canary() -> None:
    """There is nobody to protect."""
    farm = Farm(endpoint(rollout=CANARY), crashing={"1", "2", "3", "4"})
    farm.step(12)
    farm.crashing = set()
    farm.model = version(2)
    farm.step(8)

    assert (farm.weights, farm.phase()) == ({"2": 10000}, Phase.READY)


def test_rules_reach_a_canary_by_name() -> None:
    """Testers see the new version before anybody else."""
    rules = [{"header": {"x-beta": "yes"}, "to": "canary"}]
    farm = Farm(endpoint(rollout=CANARY, rules=rules))
    farm.step(6)
    farm.model = version(2)
    farm.step(4)
    body = farm.history.things[ROUTE].body
    assert isinstance(body, RouteBody)

    assert [rule.version for rule in body.traffic.rules] == ["2"]


VARIANTS = {"a": {"model": "digits@production", "weight": 3}, "b": {"model": "digits@beta", "weight": 1}}
SPECS: tuple[Any, ...] = (
    endpoint(rollout=CANARY, scale={"min": 2, "max": 3}),
    endpoint(rollout=BLUE_GREEN, scale={"min": 1, "max": 3}),
    endpoint(scale={"min": 0, "idle_after": "1s"}, rollout=CANARY),
    endpoint(model=None, variants=VARIANTS, shadow="digits@beta"),
    endpoint(),
    None,
)
ENDS = st.none() | st.builds(TaskEnd, st.sampled_from(EndReason))
TASKS = st.builds(
    TaskFacts, st.sampled_from(TaskState), is_ready=st.booleans(), started_at=st.just(5.0), end=ENDS,
    address=st.sampled_from(("/run/a", "/run/b")), waits=st.sampled_from(("", "", "no room")),
)  # fmt: skip
COUNTS = st.lists(
    st.builds(VersionCounts, st.sampled_from(("1", "2", "a", "b")), st.integers(0, 500), st.integers(0, 50)),
    max_size=3, unique_by=lambda counts: counts.name,
).map(tuple)  # fmt: skip
BUSY = st.sampled_from(((), (("1", 1),), (("1", 0), ("2", 3))))
ROUTES = st.builds(
    RouteFacts, st.sampled_from((0, 10**9)), st.just("http://plane"), BUSY, st.integers(0, 2), versions=COUNTS
)
NEEDS = st.sampled_from(
    ({}, *({MODEL: Need(Phase.READY, {**version(number), **alias("beta", 2)})} for number in (1, 2)))
)
ORDERS = st.sampled_from(("", "", "", "promote", "abort", "pause", "resume"))


@settings(max_examples=120, deadline=None)
@given(moves(TASKS | ROUTES, st.sampled_from(SPECS), NEEDS, orders=ORDERS))
def test_whatever_happens_a_rollout_sends_nobody_to_what_stops(history: list[Move]) -> None:
    """Never: a routed replica told to stop, a number used twice, a route that a plane refuses. Eventually: all gone."""
    ours, last = History(KIND, DIGITS), 0
    for move in history:
        before = set(ours.things)
        decision = ours.move(move)
        if decision.forget:
            last = 0
            continue
        begun = sorted(int(part) for part in ours.things.keys() - before - {ROUTE})
        assert not begun or begun[0] > last, "a number was used twice"
        last = max([last, *begun])
        bodies = [body for action in decision.actions if isinstance(body := getattr(action, "body", None), RouteBody)]
        assert not [problem for body in bodies for problem in problems_of(body)]
        routed = {part for body in bodies for part, _address in body.replicas}
        stopped = {action.part for action in decision.actions if isinstance(action, Release)}
        assert move.spec is None or not routed & stopped
    assert goes_away(ours)
