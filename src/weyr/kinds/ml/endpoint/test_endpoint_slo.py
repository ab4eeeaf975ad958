"""An endpoint with a target for latency: scheduling says how many replicas it has."""

from dataclasses import replace

import pytest
from endpoint_farm import DIGITS, MODEL, Farm, endpoint, version

from weyr.core.checking import Proposal
from weyr.core.decision import ConditionType, Need, Phase, View, Want
from weyr.core.demand import calendar_floor
from weyr.core.ref import Ref
from weyr.core.routes import VersionCounts
from weyr.core.scaling import Quota, SharedBy
from weyr.kinds.ml.endpoint.checks import checks
from weyr.kinds.ml.endpoint.demand import demand

SLO = {"min": 1, "max": 6, "target_inflight": 2, "slo": "1s", "idle_after": "1m"}


def busy(farm: Farm, rate: float, seconds: int, latency_s: float = 0.2, tokens: int = 0) -> None:
    """So many requests per second for so long, which end within the second."""
    for _ in range(seconds):
        before = farm.counts.get("1", VersionCounts("1"))
        farm.counts["1"] = replace(
            before,
            requests=before.requests + round(rate),
            worked=before.worked + round(rate),
            worked_s=before.worked_s + rate * latency_s,
            completion_tokens=before.completion_tokens + round(rate * tokens),
        )
        farm.last_request_at = farm.history.now
        farm.step()


def test_traffic_brings_replicas_before_requests_are_late_and_its_end_lets_them_go() -> None:
    """As many as the traffic needs, without a rule per replica to be guessed; and the story says why."""
    farm = Farm(endpoint(scale=SLO))
    farm.step(4)
    busy(farm, 2, 70)
    assert farm.replicas == ["1"]

    busy(farm, 30, 60)
    grown = len(farm.replicas)
    assert 4 <= grown <= 6
    told = [note for note in farm.history.story if note.event == "endpoint.scaled"]
    assert "requests/s now" in told[-1].message

    farm.step(100)
    assert len(farm.replicas) == 1


def test_a_steady_load_moves_nothing() -> None:
    """Every change costs a start."""
    farm = Farm(endpoint(scale=SLO))
    farm.step(4)
    busy(farm, 20, 180)
    before = len(farm.history.story)
    busy(farm, 20, 120)
    assert [note.event for note in farm.history.story[before:]] == []


def test_a_sleeper_with_a_target_wakes_at_the_look_that_sees_a_request() -> None:
    """Whoever waits does not wait for a tick."""
    farm = Farm(endpoint(scale={**SLO, "min": 0}))
    farm.step(4)
    assert farm.replicas == []

    farm.waiting = 1
    farm.step()
    assert farm.replicas == ["1"]


def test_silence_of_the_plane_changes_no_count() -> None:
    """Nothing is known, so nothing is let go of."""
    farm = Farm(endpoint(scale=SLO))
    farm.step(4)
    busy(farm, 30, 80)
    there = farm.replicas
    farm.silent = {"route"}
    farm.step(90)
    assert farm.replicas == there


def test_what_a_start_took_is_remembered() -> None:
    """In the store, with the endpoint: a server that was restarted knows it."""
    farm = Farm(endpoint(scale=SLO), slow={"1"})
    farm.started_at = farm.history.now
    farm.step(3)
    assert farm.history.memory.start_s == 0
    farm.slow = set()
    farm.step(2)
    assert (farm.history.memory.start_s, farm.history.memory.starts) == (4.0, (4.0,))


WINDOW = {"cron": "0 8 * * mon-fri", "lasts": "10h", "zone": "Europe/Berlin", "min": 3}
MONDAY_8_UTC = 1_767_600_000.0  # 2026-01-05, 9 o'clock in Berlin


@pytest.mark.parametrize(("after_s", "floor"), [(0, 3), (9 * 3600 - 1, 3), (9 * 3600, 0), (-3601, 0), (-2 * 86_400, 0)])
def test_a_calendar_keeps_replicas_in_its_windows(after_s: float, floor: int) -> None:
    """At eight in Berlin three are up, whatever was asked at night, and at six in the evening they may go."""
    scale = endpoint(scale={"min": 0, "max": 5, "calendar": [WINDOW]}).scale
    assert calendar_floor(scale, MONDAY_8_UTC + after_s) == floor


def test_endpoints_of_a_queue_share_its_replicas() -> None:
    """The queue says how many there are for all, and by what they are shared."""
    farm = Farm(endpoint(scale=SLO, queue="serving"))
    queue = Ref("digits", "queue", "serving")
    farm.needs = {
        MODEL: Need(Phase.READY, version(1)),
        queue: Need(Phase.READY, {"replicas": 3, "shared_by": "value"}),
    }
    farm.step(4)
    busy(farm, 30, 60)
    assert len(farm.replicas) == 3

    view = View(farm.history.now, farm.history.things, farm.needs, farm.history.memory)
    told = demand(Want(DIGITS, farm.spec, 1), view)
    assert told is not None
    assert told.quota == Quota(queue.absolute, 3, SharedBy.VALUE)


def test_one_that_a_quota_leaves_without_its_replica_does_not_sleep_it_waits() -> None:
    """ "Asleep" would mean that a request wakes it, and none would."""
    farm = Farm(endpoint(scale=SLO, queue="serving"))
    queue = Ref("digits", "queue", "serving")
    farm.needs = {MODEL: Need(Phase.READY, version(1)), queue: Need(Phase.READY, {"replicas": 0})}
    condition = farm.step(6).conditions[0]
    assert (condition.type, condition.reason, farm.replicas) == (ConditionType.WAITING, "Quota", [])
    assert "digits:queue/serving" in condition.message

    farm.needs = {**farm.needs, queue: Need(Phase.READY, {"replicas": 1})}
    assert farm.step(6).conditions[0].type is ConditionType.READY


def test_a_replica_is_measured_by_what_the_file_names() -> None:
    """Who knows the rate that one replica bears, or its tokens, need not know how many requests it has at once."""
    counts = {}
    for measure in ({"target_rate": 10}, {"target_tokens": 500}, {"target_rate": 80}):
        farm = Farm(endpoint(scale={"min": 1, "max": 50, **measure}))
        farm.step(4)
        busy(farm, 40, 60, tokens=50)
        counts[str(measure)] = len(farm.replicas)
    by_rate, by_tokens, by_higher_rate = counts.values()
    assert by_rate == by_tokens, "50 tokens each"
    assert by_rate > 2 * by_higher_rate >= 2


def test_two_measures_of_one_load_are_refused() -> None:
    """One number of replicas cannot follow both, and nobody would know which it follows."""
    spec = endpoint(scale={"max": 4, "target_rate": 10, "slo": "1s"})
    assert [finding.path for finding in checks(Proposal({DIGITS: spec}, {}))] == [("scale", "target_rate")]


@pytest.mark.parametrize(
    ("metric", "field", "says"),
    [
        ({"name": "jobs_total"}, "name", "only grows"),
        ({"name": "jobs", "path": "/page"}, "path", "Weyr's own model server has its page at /metrics"),
    ],
)
def test_a_metric_that_cannot_be_measured_is_refused(metric: dict[str, str], field: str, says: str) -> None:
    """Replicas would be added for ever, or never."""
    spec = endpoint(scale={"max": 4, "target_metric": {"per_replica": 5, **metric}})
    (finding,) = checks(Proposal({DIGITS: spec}, {}))
    assert (finding.path, says in finding.detail) == (("scale", "target_metric", field), True)


def test_a_metric_changes_nothing_where_there_is_nothing_to_choose() -> None:
    """Somebody would wait for replicas that never come."""
    spec = endpoint(scale={"target_metric": {"name": "jobs", "per_replica": 5}})
    (finding,) = checks(Proposal({DIGITS: spec}, {}))
    assert (finding.path, finding.suggestion) == (("scale", "target_metric"), "max: 2")


def test_a_window_above_the_most_is_refused_in_the_plan() -> None:
    """It could never hold, and nobody would be told at eight in the morning."""
    spec = endpoint(scale={"max": 2, "calendar": [WINDOW]})
    assert [finding.path for finding in checks(Proposal({DIGITS: spec}, {}))] == [("scale", "calendar", 0, "min")]
