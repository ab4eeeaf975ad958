"""How does a new version come to answer? Step by step beside the old one, and back where it is worse. Pure.

A revision that is on its way has a side of its own. Once it has the replicas for its step it gets the step's share of
the requests; the next step follows when that took its time, had its requests, and nothing speaks against it. Then its
replicas and the old ones become one set again, which the old ones leave. It is taken back in one look: no request goes
to it any more, and the old replicas were there all the time.
"""

from dataclasses import replace

from weyr.core.decision import Note
from weyr.core.moment import is_awaited
from weyr.core.units import duration_text
from weyr.kinds.ml.endpoint.judge import Tally, Verdict, judge
from weyr.kinds.ml.endpoint.look import Look
from weyr.kinds.ml.endpoint.memory import MAIN, NEXT, EndpointMemory, Refused, Rollout, Side
from weyr.kinds.ml.endpoint.revision import Revision

ORDERS = frozenset({"promote", "abort", "pause", "resume"})
CRASHES_MAX = 3
ROOM_WAIT_S = 30.0
"""How long a replica waits for room before an old one goes for it: a queue that is only busy moves on by itself."""

PACE_AFTER_S = 60.0
"""How long requests are counted before it is said when there will be enough."""

Story = tuple[EndpointMemory, tuple[Note, ...]]


def progressed(look: Look, memory: EndpointMemory, wanted: Revision) -> Story:
    """The side MAIN, and NEXT where a revision is on its way, one look further."""
    main, rollout = memory.side(MAIN), memory.rollout
    if not main.revisions or main.wanted.key == wanted.key:
        memory, back = withdrawn(look, memory, "the old version is wanted again") if rollout else (memory, ())
        return memory.with_sides(memory.side(MAIN).towards(wanted)), back
    if memory.refused and memory.refused.key == wanted.key:
        return memory, ()
    if not look.spec.rollout.is_gradual or not _has_answered(look, memory, main):
        if rollout:
            memory, _ = withdrawn(look, memory, "") if rollout.key != wanted.key else _joined(memory)
        return memory.with_sides(memory.side(MAIN).towards(wanted)), ()
    notes: tuple[Note, ...] = ()
    if rollout and rollout.key != wanted.key:
        memory, notes = withdrawn(look, memory, f"{wanted.title} is wanted instead")
    if not memory.rollout:
        memory, begun = _begun(look, memory, wanted)
        notes = (*notes, *begun)
    memory, more = _stepped(look, memory)
    return memory, (*notes, *more)


def ordered(look: Look, memory: EndpointMemory) -> Story:
    """Does what somebody ordered by hand, once."""
    order = look.view.order
    if order is None or order.number <= memory.order:
        return memory, ()
    memory, rollout = replace(memory, order=order.number), memory.rollout
    match order.verb:
        case "promote" if rollout:
            memory, _ = _joined(memory)
            return memory, (Note("rollout.promoted", f"{memory.side(MAIN).wanted.title} gets all requests, by order"),)
        case "promote":
            return replace(memory, refused=None), ()
        case "abort" if rollout:
            return _aborted(look, memory, "by order")
        case "pause" | "resume" if rollout:
            is_paused = order.verb == "pause"
            text = (
                f"{memory.side(NEXT).wanted.title} stays at {share_text(look, memory)}" if is_paused else "it goes on"
            )
            done = replace(rollout, is_paused=is_paused)
            return replace(memory, rollout=done), (Note(f"rollout.{order.verb}d", text),)
        case _:
            return memory, ()


def refuses(memory: EndpointMemory | None, verb: str) -> str:
    """Why an order cannot be carried out now, "" where it can."""
    rollout = memory.rollout if memory else None
    if verb == "promote" and memory and memory.refused and not rollout:
        return ""
    if rollout is None:
        return "no new version is on its way"
    if verb == "pause" and rollout.is_paused:
        return "it is paused already"
    if verb == "resume" and not rollout.is_paused:
        return "it is not paused"
    return ""


def share_of_next(look: Look, memory: EndpointMemory) -> float:
    """The share of the requests that the revision on its way is to have now."""
    rollout, spec = memory.rollout, look.spec.rollout
    if rollout is None:
        return 0.0
    shares = spec.shares
    step = min(rollout.step, len(shares) - 1)
    before = shares[step - 1] if step else 0.0
    planned = shares[step] if rollout.since else before
    is_bounded = rollout.is_cramped or spec.surge_of(memory.desired) < memory.desired
    if is_bounded and not rollout.since and step == len(shares) - 1:
        # The old replicas make room for the new ones, so each answers for as many as there are of it.
        new, old = (_ready(look, memory.side(name)) for name in (NEXT, MAIN))
        return max(planned, new / (new + old)) if new else planned
    return planned


def share_text(look: Look, memory: EndpointMemory) -> str:
    return f"{share_of_next(look, memory):.3%}".rstrip("%").rstrip("0").rstrip(".") + "%"


def replicas_of_next(look: Look, memory: EndpointMemory) -> int:
    """How many replicas the revision on its way needs for its step."""
    rollout, shares = memory.rollout, look.spec.rollout.shares
    if rollout is None or not memory.desired:
        return 0
    share = shares[min(rollout.step, len(shares) - 1)]
    return max(1, -int(-memory.desired * share // 1))


def _begun(look: Look, memory: EndpointMemory, wanted: Revision) -> Story:
    main = memory.side(MAIN)
    if wanted.name == main.wanted.name:
        # The same version with other resources: counts must not be mixed up.
        wanted = replace(wanted, name=f"{wanted.name}-{wanted.key[:4]}")
    old, new = (Tally().read(look.counts(name)).anew() for name in (main.wanted.name, wanted.name))
    rollout = Rollout(wanted.key, look.now, old=old, new=new)
    side = Side(NEXT).towards(wanted)
    memory = replace(memory.with_sides(side), rollout=rollout, refused=None)
    text = f"{wanted.title} is to take over from {main.wanted.title} ({look.spec.rollout.strategy})"
    return memory, (Note("rollout.begun", text),)


def _stepped(look: Look, memory: EndpointMemory) -> Story:
    """One look at a rollout that goes on: back, forth, or waiting."""
    rollout, spec = memory.rollout, look.spec.rollout
    main, side = memory.side(MAIN), memory.side(NEXT)
    assert rollout is not None, "a step of nothing"
    rollout = replace(
        rollout,
        step=min(rollout.step, len(spec.shares) - 1),
        old=rollout.old.read(look.counts(main.wanted.name)),
        new=rollout.new.read(look.counts(side.wanted.name)),
        is_cramped=rollout.is_cramped or _is_cramped(look, memory, side),
    )
    memory = replace(memory, rollout=rollout)
    ready = _ready(look, side)
    if side.held.crashes >= CRASHES_MAX and not ready:
        return _aborted(look, memory, f"its replicas keep failing, the last: {side.held.last_end}")
    verdict = judge(spec.limits, rollout.old.sum, rollout.new.sum, spec.requests_min)
    if verdict.abort:
        return _aborted(look, memory, verdict.abort)
    if not rollout.since:
        return _shared(look, memory, rollout, ready)
    return _held(look, memory, rollout, verdict)


def _shared(look: Look, memory: EndpointMemory, rollout: Rollout, ready: int) -> Story:
    """Gives the step's share to the revision once it has the replicas for that."""
    needed = replicas_of_next(look, memory)
    if rollout.is_paused or not needed or ready < needed:
        text = "paused" if rollout.is_paused else f"{ready} of {needed} replicas are ready"
        return replace(memory, rollout=replace(rollout, waits=text)), ()
    fresh = replace(rollout, since=look.now, new=rollout.new.anew(), waits="")
    memory = replace(memory, rollout=fresh)
    text = f"{memory.side(NEXT).wanted.title} gets {share_text(look, memory)} of the requests"
    return memory, (Note("rollout.step", text),)


def _held(look: Look, memory: EndpointMemory, rollout: Rollout, verdict: Verdict) -> Story:
    """Stays at a step until it took its time and showed enough."""
    spec = look.spec.rollout
    hold_s, is_last = spec.hold_s(rollout.step), rollout.step >= len(spec.shares) - 1
    is_early = is_awaited(rollout.since + hold_s, look.now, hold_s)
    waits = ""
    if not is_last:
        # Where it has too few requests, the verdict says that first.
        few, semicolon, more = verdict.waits.partition(";")
        waits = f"{few}{_pace(look, rollout)}{semicolon}{more}"
    if rollout.is_paused:
        waits = "paused"
    elif is_early:
        ahead = f"{duration_text(max(1.0, rollout.since + hold_s - look.now))} to go"
        waits = f"{ahead}; {waits}" if waits else ahead
    if waits:
        return replace(memory, rollout=replace(rollout, waits=waits)), ()
    if not is_last:
        return replace(memory, rollout=replace(rollout, step=rollout.step + 1, since=0.0, waits="")), ()
    memory, _ = _joined(memory)
    return memory, (Note("rollout.completed", f"{memory.side(MAIN).wanted.title} has taken over"),)


def _pace(look: Look, rollout: Rollout) -> str:
    """When a step will have its requests if they come as they did: what takes weeks is to be seen on its first day."""
    had, took_s = rollout.new.sum.requests, look.now - rollout.since
    lacking = look.spec.rollout.requests_min - had
    if lacking <= 0 or took_s < PACE_AFTER_S:
        return ""
    return f", the rest in {duration_text(round(took_s * lacking / had))} at this pace" if had else ", none so far"


def _joined(memory: EndpointMemory) -> Story:
    """The revision on its way is the one that is wanted: its replicas stay, and the old ones go as it has enough."""
    side = memory.side(NEXT)
    main = memory.side(MAIN).joined(side, side.wanted)
    return replace(memory.without(NEXT).with_sides(main), rollout=None), ()


def _aborted(look: Look, memory: EndpointMemory, why: str) -> Story:
    side, share = memory.side(NEXT), share_text(look, memory)
    where = f"at {share} of the requests" if share != "0%" else "before it got a request"
    memory, _ = withdrawn(look, memory, "")
    refused = Refused(side.wanted.key, side.wanted.title, f"{where}: {why}")
    return replace(memory, refused=refused), (
        Note("rollout.aborted", f"{side.wanted.title} was taken back {where}: {why}"),
    )


def withdrawn(look: Look, memory: EndpointMemory, why: str) -> Story:
    """What was on its way goes at once; its replicas end what they are at."""
    side, main = memory.side(NEXT), memory.side(MAIN)
    notes = (Note("rollout.withdrawn", f"{side.wanted.title}: {why}"),) if why and side.revisions else ()
    if _ready(look, main) or not _ready(look, side):
        side = side.leaving(look.now)
    # Else the old replicas made room for it and are gone: it answers until they are back.
    main = main.joined(side, main.wanted)
    return replace(memory.without(NEXT).with_sides(main), rollout=None), notes


def _has_answered(look: Look, memory: EndpointMemory, main: Side) -> bool:
    """Whether there is anything to protect: an old version that answers, or sleeps."""
    if main.desired == 0:
        return bool(memory.served)
    return any(r.well_at and not r.is_leaving for r in main.held.replicas) or main.held.crashes < CRASHES_MAX


def _ready(look: Look, side: Side) -> int:
    return len(side.ready(look.sight(side))) if side.revisions else 0


def _is_cramped(look: Look, memory: EndpointMemory, side: Side) -> bool:
    """Whether new replicas have waited for room long enough, and an old one can be spared."""
    return spares_one(look, memory.desired) and waits_for_room(look, side)


def spares_one(look: Look, desired: int) -> bool:
    """Whether a replica may go before there is another: never the only one, unless the file says so."""
    return desired >= 2 or look.spec.rollout.unavailable > 0


def waits_for_room(look: Look, side: Side) -> bool:
    """Whether replicas of a set have waited in line for long."""
    return bool(side.waiting_since) and not is_awaited(side.waiting_since + ROOM_WAIT_S, look.now, ROOM_WAIT_S)
