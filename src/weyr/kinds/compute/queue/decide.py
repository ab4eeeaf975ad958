"""What should happen to a queue next? It is declared to the scheduler, and taken back. Pure."""

from weyr.core.amounts import amount_text, amounts_of
from weyr.core.capability import Capability
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Release, Scalar, View, Want
from weyr.core.pools import QueueBody
from weyr.core.seen import Present
from weyr.kinds.compute.queue.spec import QueueSpec


def decide(want: Want[QueueSpec], view: View[None]) -> Decision[None]:
    """Says nothing of what is used: that changes with each task, and whoever needs the queue would look again."""
    if want.spec is None:
        return _remove(view)
    thing = view.things.get("")
    is_open = thing is not None and isinstance(thing.seen, Present) and thing.seen.generation == want.generation
    condition = Condition(ConditionType.READY, is_open, "Open" if is_open else "Opening", _terms(want.spec))
    ensure = Ensure(Capability.QUEUES, "", body_of(want.spec), want.generation)
    return Decision((ensure,), (condition,), outputs=_outputs(want.spec), again_s=None if is_open else 1.0)


def _outputs(spec: QueueSpec) -> dict[str, Scalar]:
    """What endpoints in it are told."""
    if spec.replicas is None:
        return {}
    return {"replicas": spec.replicas, "shared_by": spec.replicas_by.value}


def body_of(spec: QueueSpec) -> QueueBody:
    """The limit is the quota and what may be borrowed; nothing is limited that the quota does not name."""
    quota = amounts_of(spec.quota)
    limit = {} if spec.borrow is True else dict(quota)
    if not isinstance(spec.borrow, bool):
        more = amounts_of(spec.borrow)
        limit = {name: quota.get(name, 0) + more.get(name, 0) for name in {**quota, **more}}
    return QueueBody(
        quota,
        limit,
        amounts_of(spec.user_limit),
        spec.weight,
        is_preemptible=spec.preemption,
        priority_classes=spec.classes,
        reclaims=spec.reclaim,
        displaces=spec.displace,
    )


def _terms(spec: QueueSpec) -> str:
    quota = ", ".join(amount_text(name, amount) for name, amount in amounts_of(spec.quota).items())
    if not quota:
        return "without limits"
    return f"guarantees {quota}" + ("; more while others leave it" if spec.borrow else "")


def _remove(view: View[None]) -> Decision[None]:
    if all(thing.is_gone for thing in view.things.values()):
        return Decision(forget=True)
    closing = Condition(ConditionType.READY, False, "Removing", "it is being closed; what runs in it runs on")
    return Decision(tuple(Release(part) for part in view.things), (closing,), again_s=0.5)
