"""How many replicas an endpoint has, what each is told, and what no history may bring about."""

from dataclasses import replace
from typing import Any

import pytest
from any_history import History, Move, goes_away, moves
from endpoint_farm import DIGITS, MODEL, Farm, endpoint, version
from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.assumptions import NO_PAST, Origin, Past
from weyr.core.capability import Capability, TaskBody
from weyr.core.checking import Proposal
from weyr.core.decision import Need, Phase, Release, Thing, View, Want
from weyr.core.ref import Ref
from weyr.core.routes import RouteBody
from weyr.core.schema import Reference
from weyr.core.seen import Absent, EndReason, RouteFacts, TaskEnd, TaskFacts, TaskState, Unknown
from weyr.core.task_usage import task_usage
from weyr.kinds.ml.endpoint import KIND
from weyr.kinds.ml.endpoint.body import replica_body
from weyr.kinds.ml.endpoint.checks import checks
from weyr.kinds.ml.endpoint.decide import ASLEEP_LOOK_S, decide
from weyr.kinds.ml.endpoint.look import ROUTE
from weyr.kinds.ml.endpoint.price import assumes
from weyr.kinds.ml.endpoint.revision import Target, key_of

LOADS: dict[str, tuple[dict[str, Any], dict[str, int], int, int]] = {
    # the load: (limits, in flight of each replica, waiting, how many there should be)
    "nothing": ({"min": 1}, {}, 0, 1),
    "as much as one takes": ({"min": 1}, {"1": 8}, 0, 1),
    "one request more": ({"min": 1}, {"1": 9}, 0, 2),
    "as many wait as are under way": ({"min": 1}, {"1": 8}, 8, 2),
    "more than all may take": ({"min": 1}, {"1": 800}, 0, 4),
    "nothing, and it may sleep": ({"min": 0}, {}, 0, 0),
    "somebody waits for a sleeper": ({"min": 0}, {}, 1, 1),
}


@pytest.mark.parametrize("case", LOADS)
def test_as_many_as_the_load_asks_for(case: str) -> None:
    """It grows at once with what is inside and does not end: nobody has to be late before a replica is begun."""
    scale, inflight, waiting, expected = LOADS[case]
    farm = Farm(endpoint(scale={"max": 4, "target_inflight": 8, **scale}))
    farm.step(3)
    farm.inflight, farm.waiting = inflight, waiting
    farm.step(3)
    assert len(farm.replicas) == expected


def test_limits_of_the_file_hold_at_the_next_look() -> None:
    """Whatever was advised before, also while the plane says nothing."""
    farm = Farm(endpoint(scale={"min": 1, "max": 9, "target_inflight": 1}))
    farm.step(3)
    farm.inflight = {"1": 6}
    farm.step(4)
    assert len(farm.replicas) == 6

    farm.silent = {ROUTE}
    farm.spec = endpoint(scale={"min": 1, "max": 4, "target_inflight": 1})
    farm.step(2)
    assert len(farm.wanted_route) == 4
    farm.spec = endpoint(scale={"min": 5, "max": 5})
    farm.step(2)
    assert len(farm.wanted_route) == 5


def test_it_sleeps_wakes_for_a_waiting_request_and_sleeps_again() -> None:
    """Nothing is paid for while nobody asks, and whoever asks is answered."""
    farm = Farm(endpoint(scale={"min": 0, "max": 2, "idle_after": "5m"}))
    asleep = farm.step(3)
    assert (asleep.conditions[0].reason, farm.replicas, farm.phase()) == ("Asleep", [], Phase.READY)

    farm.waiting, farm.last_request_at = 1, farm.history.now
    farm.step(3)
    assert farm.wanted_route == ["1"]

    farm.waiting = 0
    farm.step(2)
    assert farm.replicas == ["1"]

    farm.step(4, after_s=300)
    assert (farm.replicas, farm.step().conditions[0].reason) == ([], "Asleep")


def test_one_that_sleeps_is_not_looked_at_until_somebody_rings() -> None:
    """A thousand that sleep cost nothing; but for a window of the calendar, which nobody rings for."""
    asleep = Farm(endpoint(scale={"min": 0, "max": 2, "idle_after": "5m"}))
    assert asleep.step(4).again_s == ASLEEP_LOOK_S

    window = {"cron": "* * * * *", "lasts": "1s", "min": 1}
    minutely = Farm(endpoint(scale={"min": 0, "max": 2, "idle_after": "5m", "calendar": [window]}))
    assert minutely.step(4).again_s == 60 - minutely.history.now % 60


def test_more_load_brings_more_replicas_and_the_unready_leave_first() -> None:
    """When there are too many, those that help least go."""
    farm = Farm(endpoint(scale={"min": 1, "max": 3, "target_inflight": 1, "idle_after": "5m"}), slow={"2"})
    farm.step(3)
    farm.inflight, farm.last_request_at = {"1": 3}, farm.history.now
    farm.step(3)
    assert (farm.replicas, farm.wanted_route) == (["1", "2", "3"], ["1", "3"])

    farm.spec = endpoint(scale={"min": 1, "max": 2, "target_inflight": 1, "idle_after": "5m"})
    farm.step(3)
    assert farm.replicas == ["1", "3"]


def test_a_sleeper_that_only_crashed_sleeps_on() -> None:
    """Nobody asks any more, so nothing is down."""
    farm = Farm(endpoint(scale={"min": 0, "max": 1, "idle_after": "10s"}))
    farm.step(2)
    farm.waiting, farm.last_request_at = 1, farm.history.now
    farm.crashing = {str(number) for number in range(1, 9)}
    farm.step(10)
    assert farm.phase() is Phase.FAILED

    farm.waiting = 0
    farm.step(3, after_s=30)
    assert farm.phase() is Phase.READY


TARGETS: dict[str, tuple[dict[Ref, Need], Target | None]] = {
    "its model is at a version": (
        {MODEL: Need(Phase.READY, version(3))}, Target("digits-digits", "digits", 3, "s3://lake/3/model")),
    "its last version failed its gate": (
        {MODEL: Need(Phase.FAILED, version(3))}, Target("digits-digits", "digits", 3, "s3://lake/3/model")),
    "no version has its alias": ({MODEL: Need(Phase.READY, {"name": "x", "beta.version": 1})}, None),
    "its model is not there": ({}, None),
}  # fmt: skip


@pytest.mark.parametrize("case", TARGETS)
def test_what_is_served_is_what_the_alias_names(case: str) -> None:
    """Whether a newer version was good enough is the model's business."""
    needs, target = TARGETS[case]

    assert Target.of(Reference("model", "digits", "production"), "digits", needs) == target


def test_a_replica_may_read_its_files_and_nothing_else() -> None:
    """Whoever takes over a model server finds one model."""
    target = Target("digits-digits", "digits", 3, "s3://lake/a b/model/")
    body = replica_body(DIGITS, endpoint(resources={"cpu": 2, "memory": "1GiB"}, grace="5s"), [target], {}, "/stack")

    assert body.grants == ("s3:read:lake/a b/model/*", "s3:list:lake/a b/model/*")
    assert (body.cpu, body.memory_bytes, body.grace_s, body.probe) == (2, 2**30, 5.0, "/v2/health/ready")
    assert body.argv[4:10] == ("--source", "s3://lake/a b/model/", "--name", "digits", "--version", "3")
    assert body.argv[-2:] == ("--compute-threads", "2")


def test_a_model_of_only_data_is_never_allowed_to_run_code() -> None:
    """Nor is any that shares its replica; and to say so makes new replicas, for the old ones may have run some."""
    plain, strict = Target("a", "a", 1, "s3://lake/a"), Target("b", "b", 1, "s3://lake/b", only_data=True)

    bodies = [replica_body(DIGITS, endpoint(), targets, {}, "/stack") for targets in ([plain], [plain, strict])]

    assert ["--allow-code" in body.argv for body in bodies] == [True, False]
    assert key_of(endpoint(), [strict]) != key_of(endpoint(), [replace(strict, only_data=False)])


NOBODY_FAR = "egress 0 B assumed"
ESTIMATES = {
    "two at rest": ({"min": 2, "max": 2}, 2000, 730.0, ["replicas 2", "hours 730", NOBODY_FAR]),
    "one that may sleep": ({"min": 0}, 1000, 73.0, ["replicas 1", "hours 73 (0..730) assumed", NOBODY_FAR]),
    "one that may grow": ({"min": 1, "max": 4}, 1000, 730.0, ["replicas 1 (1..4)", "hours 730", NOBODY_FAR]),
}


@pytest.mark.parametrize("case", ESTIMATES)
def test_what_it_will_cost_is_what_is_kept_at_rest(case: str) -> None:
    """The plan's price is that of the file, with its assumption beside it."""
    scale, quantity, hours, assumed = ESTIMATES[case]

    (line,) = KIND.expected(endpoint(scale=scale))

    assert (line.quantity, line.hours_per_month) == (quantity, hours)
    assert [one.text for one in assumes(endpoint(scale=scale), NO_PAST)] == assumed


MEASURED = {
    # scale, replica-hours that its meters counted in ten days: replicas, hours of a month
    "it never slept": ({"min": 1, "max": 4}, 240, 1.0, 730.0),
    "it was two and a half on average": ({"min": 1, "max": 4}, 600, 2.5, 730.0),
    "it may not be as many any more": ({"min": 1, "max": 2}, 600, 2.0, 730.0),
    "it slept nine tenths": ({"min": 0, "max": 4}, 24, 1.0, 73.0),
    "it was never asked": ({"min": 0, "max": 4}, 0, 1.0, 0.0),
}


@pytest.mark.parametrize("case", MEASURED)
def test_what_it_did_says_what_it_will_cost(case: str) -> None:
    """Its own meters know better than a guess, within what the new file allows."""
    scale, ran_h, replicas, hours = MEASURED[case]

    found = {one.name: one for one in assumes(endpoint(scale=scale), Past(240 * 3600, task_s=ran_h * 3600, tasks=3))}

    assert found["replicas"].value == pytest.approx(replicas)
    assert found["hours"].value == pytest.approx(hours)
    assert {one.origin for one in found.values()} == {Origin.MEASURED}


def test_each_replica_is_metered() -> None:
    """By the engine's own record of its start."""
    thing = Farm()
    thing.step(2)
    assert KIND.usage is not None

    things = thing.history.things
    assert [usage.part for usage in KIND.usage(endpoint(), things)] == ["1"]
    assert KIND.usage(endpoint(), things) == task_usage(things)


def test_limits_that_contradict_are_refused_in_the_plan() -> None:
    """At least three and at most two cannot both hold."""
    specs = {
        Ref("digits", "endpoint", name): endpoint(scale={"min": low, "max": 2}) for name, low in (("a", 2), ("b", 3))
    }

    assert [finding.ref.name for finding in checks(Proposal(specs, {}))] == ["b"]


def test_what_was_never_up_is_forgotten_at_once() -> None:
    """There is nothing to be proved absent."""
    assert decide(Want(DIGITS, None, 1), View(0.0)).forget
    gone = Thing("1", Capability.TASKS, 1, Absent(), None, is_accepted=True)
    assert decide(Want(DIGITS, None, 1), View(0.0, {"1": gone})).forget


SPECS: tuple[Any, ...] = (
    endpoint(), endpoint(scale={"min": 2, "max": 3}), endpoint(scale={"min": 0, "idle_after": "1s"}), None,
    endpoint(scale={"min": 0, "max": 3, "slo": "1s"}),
)  # fmt: skip
ENDS = st.none() | st.builds(TaskEnd, st.sampled_from(EndReason))
TASKS = st.builds(
    TaskFacts, st.sampled_from(TaskState), is_ready=st.booleans(), started_at=st.just(5.0), end=ENDS,
    address=st.sampled_from(("/run/a", "/run/b")),
)  # fmt: skip
BUSY = st.sampled_from(((), (("1", 1),), (("1", 0), ("2", 3))))
ROUTES = st.builds(RouteFacts, st.sampled_from((0, 10**9)), st.just("http://plane"), BUSY, st.integers(0, 2))
NEEDS = st.sampled_from(({}, {MODEL: Need(Phase.READY, version(1))}, {MODEL: Need(Phase.READY, version(2))}))


@settings(max_examples=300, deadline=None)
@given(moves(TASKS | ROUTES, st.sampled_from(SPECS), NEEDS))
def test_whatever_happens_nobody_is_sent_to_a_replica_that_is_stopped(history: list[Move]) -> None:
    """Never: a routed replica told to stop, a number used twice, one forgotten. Eventually: all of it gone."""
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
        assert len(begun) <= 3, "more than the limit at once"
        routed = {part for action in decision.actions for part in _routed(action)}
        stopped = {action.part for action in decision.actions if isinstance(action, Release)}
        assert move.spec is None or not routed & stopped
    assert goes_away(ours)


def _routed(action: Any) -> list[str]:
    match getattr(action, "body", None):
        case RouteBody() as body:
            return [part for part, _address in body.replicas]
        case TaskBody() | None:
            return []
        case other:
            raise AssertionError(f"an endpoint asked for {other}")


def test_nothing_is_known_of_a_thing_without_news() -> None:
    """The farm above is honest; this one is not even asked."""
    farm = Farm()
    farm.step()
    farm.silent = {"1", ROUTE}

    assert isinstance(farm.history.things["1"].seen, Unknown)
    assert farm.step(3).conditions[0].status is None
