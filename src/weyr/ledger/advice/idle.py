"""What is paid for and does nothing? Nodes without tasks, devices that compute nothing, sessions nobody works in."""

from collections.abc import Iterator

from weyr.core.units import money_text
from weyr.ledger.advice.amounts import MONTH_HOURS, ago, per_month, spans_weekend, sureness
from weyr.ledger.advice.values import Change, Looked, Plain, Rule, Saving, Subject

WORKING_HOURS = 160.0
"""A working month, as the plan prices a session."""
IDLE_NODE_S = 300.0
SESSION_IDLE_S = 3600.0
ENDS_WITHIN_S = 60.0
"""So long after its `idle_after` a session is gone that nothing keeps awake."""
WEEKDAYS: Plain = {"open": ["mon-fri 07:00-20:00"]}


def idle_nodes(subject: Subject, looked: Looked) -> Iterator[Saving]:
    """Nodes that a pool keeps though nothing runs there. They go by themselves, unless its `min` or a long `idle_after`
    holds them."""
    pool = subject.pool
    if pool is None:
        return
    idle = [node for node in pool.idle if looked.idle_for_s(node.since_ms) >= looked.idle_s]
    if not idle or (pool.min == 0 and pool.idle_after_s <= IDLE_NODE_S):
        return
    rates = [node.micros_per_hour for node in idle]
    rate = None if None in rates else sum(each for each in rates if each is not None)
    gone_s = looked.idle_for_s(max(node.since_ms for node in idle))
    devices = sum(node.devices for node in idle)
    what = f"{devices} GPUs on {len(idle)} idle nodes" if devices else f"{len(idle)} idle nodes"
    kept = max(0, pool.min - len(idle))
    changes = []
    if pool.min:
        changes.append(Change(subject.ref, ("min",), kept, pool.min))
    if pool.idle_after_s > IDLE_NODE_S:
        changes.append(Change(subject.ref, ("idle_after",), "5m", f"{pool.idle_after_s:g}s"))
    detail = f"{what}: nothing has run there for {ago(gone_s)}."
    wake = "a task that needs a node starts one"
    yield Saving(Rule.IDLE_GPU, subject.ref, detail, per_month(rate), sureness(gone_s), tuple(changes), wake=wake)


def idle_devices(subject: Subject, looked: Looked) -> Iterator[Saving]:
    """Tasks that hold devices which compute nothing. Only a person knows whether they wait for something."""
    asked, peak = subject.asked, subject.peaks.get("device")
    if asked is None or not asked.devices or peak is None or subject.running_since_ms is None or subject.session:
        return
    since_ms = max(peak.busy_ms, subject.running_since_ms)
    idle_s = looked.idle_for_s(since_ms)
    if idle_s < looked.idle_s:
        return
    detail = f"its {asked.devices} GPU{'s' * (asked.devices > 1)} have computed nothing for {ago(idle_s)}."
    by_hand = f"weyr logs {subject.ref}, then take it out of the stack file, or its accelerators"
    saved = per_month(subject.rate_micros_per_hour)
    yield Saving(Rule.IDLE_GPU, subject.ref, detail, saved, sureness(idle_s), by_hand=by_hand)


def idle_sessions(subject: Subject, looked: Looked) -> Iterator[Saving]:
    """Sessions that run on though nobody does anything in them: over a night, over a weekend.

    Where `idle_after` is long that is why; where it is short something keeps the session awake, such as a page that is
    left open, and only hours help.
    """
    session, peak = subject.session, subject.peaks.get("task.cpu")
    if session is None or peak is None or subject.running_since_ms is None:
        return
    since_ms = max([subject.running_since_ms, *(peak.busy_ms for peak in subject.peaks.values())])
    idle_s = looked.idle_for_s(since_ms)
    if idle_s < looked.idle_s:
        return
    rate = subject.rate_micros_per_hour
    so_far = "" if rate is None else f", which has cost {money_text(round(rate * idle_s / 3600))} so far"
    over = "over a weekend, " if spans_weekend(since_ms, looked.now_ms) else ""
    detail = f"nobody has done anything in it for {ago(idle_s)}, {over}and it runs on{so_far}."
    if session.idle_after_s > SESSION_IDLE_S:
        change = Change(subject.ref, ("idle_after",), "1h", f"{session.idle_after_s:g}s")
    elif idle_s < session.idle_after_s + ENDS_WITHIN_S:
        return  # it is about to end by itself: nothing keeps it awake
    elif not session.has_calendar:
        change = Change(subject.ref, ("calendar",), WEEKDAYS)
    else:
        return
    saved = per_month(rate, MONTH_HOURS - WORKING_HOURS)
    wake = "weyr up begins another"
    yield Saving(Rule.IDLE_SESSION, subject.ref, detail, saved, sureness(idle_s), (change,), wake=wake)
