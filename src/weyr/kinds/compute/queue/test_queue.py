"""What a queue is to the scheduler."""

from typing import Annotated

import pytest

from weyr.core.amounts import amount_text, amounts_of
from weyr.core.capability import Capability
from weyr.core.checking import Proposal
from weyr.core.decision import ConditionType, Ensure, Release, Thing, View, Want
from weyr.core.pools import QueueBody, QueueFacts, Reclaims
from weyr.core.priorities import PriorityClass
from weyr.core.ref import Ref
from weyr.core.scale_fields import Scale
from weyr.core.schema import Reference, Spec, from_json, from_plain, to, to_json
from weyr.core.seen import Absent, Present
from weyr.kinds.compute.queue.checks import checks
from weyr.kinds.compute.queue.decide import body_of, decide
from weyr.kinds.compute.queue.spec import PriorityPart, QueueSpec

REF = Ref("team", "queue", "gpu")
SPECS: dict[str, tuple[QueueSpec, dict[str, int], dict[str, int]]] = {
    "a quota is guaranteed and never passed": (QueueSpec(quota={"H100": 4}), {"gpu/H100": 4000}, {"gpu/H100": 4000}),
    "borrowing bounds what is beyond it": (
        QueueSpec(quota={"cpu": 8}, borrow={"cpu": 2, "gpu": 1}),
        {"cpu": 8000},
        {"cpu": 10000, "gpu": 1000},
    ),
    "borrowing without bounds": (QueueSpec(quota={"memory": "1GiB"}, borrow=True), {"memory": 2**30}, {}),
    "money is per hour": (QueueSpec(quota={"money": "20 USD"}), {"money": 20_000_000}, {"money": 20_000_000}),
}


@pytest.mark.parametrize("name", SPECS)
def test_a_quota_becomes_a_guarantee_and_a_limit(name: str) -> None:
    """As Kueue's users know it: nominal quota, and a limit of borrowing."""
    spec, guarantee, limit = SPECS[name]
    body = body_of(spec)
    assert (dict(body.guarantee), dict(body.limit)) == (guarantee, limit)


@pytest.mark.parametrize("preemption", [True, False])
def test_preemption_is_as_written(preemption: bool) -> None:
    """Who keeps a queue from being stopped relies on it."""
    assert body_of(QueueSpec(preemption=preemption)).is_preemptible is preemption


@pytest.mark.parametrize("quota", [{"cpu": "many"}, {"memory": "much"}, {"money": 5}, {"two words": 1}, {"cpu": -1}])
def test_an_amount_that_is_none_is_refused(quota: dict[str, str | int | float]) -> None:
    """In the plan, not when the first job waits for it."""
    with pytest.raises(ValueError, match=r"."):
        QueueSpec(quota=quota)


def test_amounts_are_told_as_they_are_written() -> None:
    """What waits says what it waits for in the words of the file."""
    amounts = amounts_of({"cpu": 8, "memory": "64GiB", "H100": 1.5, "money": "20 USD", "gpu": 2})
    texts = [amount_text(name, amount) for name, amount in amounts.items()]
    assert texts == ["8 CPU", "64 GiB", "1.5 H100", "20.00 per hour", "2 GPU"]


def test_what_is_used_changes_nothing_that_is_said_of_it() -> None:
    """Whoever needs the queue looks again when its status changes; a thousand jobs would, at each end of one."""
    want = Want(REF, QueueSpec(quota={"cpu": 1}), 3)
    told = [
        decide(want, View(0.0, {"": thing(Present(QueueFacts(running=running), 3), 3)})).conditions
        for running in (0, 1000)
    ]
    assert told[0] == told[1]
    assert told[0][0].type is ConditionType.READY


def test_a_queue_is_declared_and_taken_back() -> None:
    """It is forgotten once the scheduler has it no more."""
    first = decide(Want(REF, QueueSpec(), 1), View(0.0))
    assert first.actions == (Ensure(Capability.QUEUES, "", QueueBody(), 1),)
    gone: Want[QueueSpec] = Want(REF, None, 2)
    assert decide(gone, View(0.0, {"": thing(Present(QueueFacts()), 1)})).actions == (Release(""),)
    assert decide(gone, View(0.0, {"": thing(Absent(), 1)})).forget


def thing(seen: Present | Absent, generation: int) -> Thing:
    return Thing("", Capability.QUEUES, generation, seen, QueueBody(), is_accepted=True)


def test_a_priority_class_is_a_value_or_more_about_it() -> None:
    """As PriorityClass is known: a value, and whether others are stopped for it."""
    scavenger = PriorityPart(value=-500, preempts="never")
    spec = QueueSpec(priority_classes={"production": 500, "scavenger": scavenger})
    classes = {"production": PriorityClass(500), "scavenger": PriorityClass(-500, preempts=False)}
    assert dict(body_of(spec).priority_classes) == classes
    assert from_json(QueueSpec, to_json(QueueSpec, spec)) == spec


@pytest.mark.parametrize(
    "written", [{"x": 1001}, {"x": True}, {"x": {"value": 1, "preempts": "ever"}}, {"Two words": 1}]
)
def test_a_priority_class_that_is_none_is_refused(written: dict[str, object]) -> None:
    """In the plan, with its line."""
    with pytest.raises(ValueError, match=r"."):
        QueueSpec(priority_classes=written)  # type: ignore[arg-type]  # as a file may have it


def test_whom_a_queue_takes_room_from_is_as_written() -> None:
    """By default what it lent comes back, and nothing else is taken."""
    plain, asked = body_of(QueueSpec()), body_of(QueueSpec(reclaim=Reclaims.LOWER_PRIORITY, displace=True))
    assert (plain.reclaims, plain.displaces) == (Reclaims.ANY, False)
    assert (asked.reclaims, asked.displaces) == (Reclaims.LOWER_PRIORITY, True)


class _Scaled(Spec):
    """Any kind that scales and names a queue."""

    queue: Annotated[Reference, to("queue")]
    scale: Scale


def test_a_quota_below_what_is_kept_at_rest_is_refused_in_the_plan() -> None:
    """The last endpoint by its name would never have had a replica."""
    kept = from_plain(_Scaled, {"queue": "gpu", "scale": {"min": 2, "max": 4}})
    names = {Ref("team", "endpoint", name): kept for name in ("a", "b")}
    for replicas, found in ((3, ["replicas"]), (4, []), (None, [])):
        specs = {REF: QueueSpec(replicas=replicas), **names}
        assert [finding.path[0] for finding in checks(Proposal(specs, {}))] == found
