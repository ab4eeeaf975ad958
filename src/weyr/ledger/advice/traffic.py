"""Who waits for requests that do not come? Replicas that are kept at rest behind a route that nobody calls."""

from collections.abc import Iterator

from weyr.ledger.advice.amounts import ago, per_month, sureness
from weyr.ledger.advice.values import Change, Looked, Rule, Saving, Subject


def no_traffic(subject: Subject, looked: Looked) -> Iterator[Saving]:
    """Endpoints and services that stand by; one that may sleep wakes with its next request."""
    traffic = subject.traffic
    if traffic is None or not traffic.kept or not subject.tasks_running:
        return
    quiet_s = looked.idle_for_s(traffic.quiet_since_ms)
    if quiet_s < looked.idle_s:
        return
    rate = subject.rate_micros_per_hour
    share = None if rate is None else rate * min(traffic.kept, subject.tasks_running) // subject.tasks_running
    changes: tuple[Change, ...]
    if traffic.has_scale:
        changes = (Change(subject.ref, ("scale", "min"), 0, traffic.kept),)
    else:
        changes = (
            Change(subject.ref, ("scale",), {"min": 0, "max": max(1, traffic.most)}),
            Change(subject.ref, ("replicas",), None, traffic.kept),
        )
    waiting = f"{traffic.kept} replicas wait" if traffic.kept > 1 else "a replica waits"
    detail = f"nobody has asked it anything for {ago(quiet_s)}, and {waiting} for it."
    wake = "its next request wakes it"
    yield Saving(Rule.NO_TRAFFIC, subject.ref, detail, per_month(share), sureness(quiet_s), changes, wake=wake)
