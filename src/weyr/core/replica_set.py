"""Which processes should stand behind an address, and whom are requests sent to? For all kinds with replicas. Pure.

A look drops the replicas that ended, starts those that lack, lets go of those that are too many or of an older
version, and says who is in the route. A new version takes over one replica at a time, as its kind allows: the old ones
answer until the new ones are ready, and go on answering where they never are.

Some of them may run on spot: a set has `steady` replicas that do not, and where one market has too few and the other
too many, they are exchanged one at a time. One whose spot node is to go is replaced at once, and is no crash.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from weyr.core.decision import Note, Thing
from weyr.core.moment import is_awaited
from weyr.core.seen import EndReason, Present, TaskEnd, TaskFacts, TaskState, Unknown
from weyr.core.unchanged import changed

BACKOFF_MAX_S = 60.0
CRASHES_FORGOTTEN_AFTER_S = 600.0
"""Crashes further apart than this are not one loop: a replica that dies once a day is replaced at once each day."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica: its number for life, and what it was started as (`key`).

    `well_at` is when it was first seen to be ready, 0 before it ever was; `ill_since`, when it was first seen not to
    be any more, 0 while it is. A replica that is well is remembered the same from look to look.
    """

    number: int
    key: str
    is_leaving: bool = False
    left_at: float = 0.0
    well_at: float = 0.0
    ill_since: float = 0.0
    is_spot: bool = False
    """Whether its node may be reclaimed."""

    @property
    def part(self) -> str:
        return str(self.number)


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """What is remembered between two looks. `last_end` tells how the replica `last_part` failed, which has a log still.
    `ended` counts replicas of the version `ended_key` that ended and are not replaced; `routed` are (replica, address)
    pairs of routing `route_generation`; both only move forward together."""

    replicas: tuple[Replica, ...] = ()
    last_number: int = 0
    crashes: int = 0
    crashed_at: float = 0.0
    retry_at: float = 0.0
    last_end: str = ""
    last_part: str = ""
    ended: int = 0
    ended_key: str = ""
    route_generation: int = 0
    routed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look sees: the things as engines tell of them, and the version that is wanted. `begins` is how many
    replicas may begin, None for any number."""

    now: float
    things: Mapping[str, Thing]
    key: str
    begins: int | None = None

    def facts(self, replica: Replica) -> TaskFacts | None:
        match self.things.get(replica.part):
            case Thing(seen=Present(facts=TaskFacts() as facts)):
                return facts
            case _:
                return None

    def is_running(self, replica: Replica) -> bool:
        facts = self.facts(replica)
        return facts is not None and facts.state is TaskState.RUNNING

    def is_ready(self, replica: Replica) -> bool:
        facts = self.facts(replica)
        return facts is not None and facts.state is TaskState.RUNNING and facts.is_ready

    def is_silent(self, replica: Replica) -> bool:
        """Whether nothing is known just now of a replica that its engine took on."""
        thing = self.things.get(replica.part)
        return thing is not None and thing.is_accepted and isinstance(thing.seen, Unknown)

    def has_notice(self, replica: Replica) -> bool:
        """Whether its spot node goes away in a moment."""
        facts = self.facts(replica)
        return facts is not None and facts.notice_at is not None

    def is_current(self, replica: Replica) -> bool:
        """Whether it is of the version that is wanted, and stays."""
        return replica.key == self.key and not replica.is_leaving


def drop_ended(
    sight: Sight, held: ReplicaSet, restarts: Callable[[TaskEnd | None], bool] = lambda _end: True
) -> tuple[ReplicaSet, tuple[Note, ...]]:
    """Takes out the replicas that are over. One that was not asked to leave is a crash, or where the kind does not
    restart it, an end that counts; one whose node was taken away is neither."""
    kept: list[Replica] = []
    notes: list[Note] = []
    for replica in held.replicas:
        why, end = _end_of(sight, replica)
        if not why:
            kept.append(_with_health(sight, replica))
            continue
        if replica.is_leaving:
            continue
        notes.append(Note("replica.ended", f"replica {replica.part} ended: {why}"))
        if _is_taken(replica, end):
            continue
        if restarts(end):
            held = crashed(sight.now, held, replica.part, notes[-1].message)
        elif replica.key == sight.key:
            before = held.ended if held.ended_key == sight.key else 0
            held = replace(held, ended=before + 1, ended_key=sight.key, last_end=notes[-1].message)
    return changed(held, replicas=tuple(kept)), tuple(notes)


def _is_taken(replica: Replica, end: TaskEnd | None) -> bool:
    reason = end.reason if end else None
    return reason is EndReason.RECLAIMED or (replica.is_spot and reason is EndReason.NODE_LOST)


def _with_health(sight: Sight, replica: Replica) -> Replica:
    if sight.is_ready(replica):
        return changed(replica, well_at=replica.well_at or sight.now, ill_since=0.0)
    is_newly_ill = replica.well_at and not replica.ill_since and sight.is_running(replica)
    return replace(replica, ill_since=sight.now) if is_newly_ill else replica


def give_up_on(
    sight: Sight, held: ReplicaSet, patience_s: float, ready_within_s: float, counts: int = 1
) -> tuple[ReplicaSet, tuple[Note, ...]]:
    """Lets replicas go that run and are ill: ready once and not for `patience_s`, or not within `ready_within_s`. Each
    `counts` as so many crashes."""
    texts = {replica.part: _illness(sight, replica, patience_s, ready_within_s) for replica in held.replicas}
    for part, text in texts.items():
        if not text:
            continue
        # The next one may be as late, and is of the same row of failures then.
        held = crashed(sight.now, held, part, text, CRASHES_FORGOTTEN_AFTER_S + max(patience_s, ready_within_s), counts)
    kept = [replace(r, is_leaving=True, left_at=sight.now) if texts[r.part] else r for r in held.replicas]
    notes = tuple(Note("replica.unhealthy", text) for text in texts.values() if text)
    return changed(held, replicas=tuple(kept)), notes


def _illness(sight: Sight, replica: Replica, patience_s: float, ready_within_s: float) -> str:
    """What is wrong with a replica that is given up, "" for one that is not."""
    facts = sight.facts(replica)
    if replica.is_leaving or facts is None or facts.state is not TaskState.RUNNING or facts.is_ready:
        return ""
    if replica.well_at:
        ill_s = sight.now - replica.ill_since if replica.ill_since else 0.0
        return f"replica {replica.part} has failed its health check for {ill_s:.0f} s" if ill_s > patience_s else ""
    young_s = sight.now - (facts.started_at or sight.now)
    return f"replica {replica.part} was not ready within {young_s:.0f} s" if young_s > ready_within_s else ""


def start(sight: Sight, held: ReplicaSet, desired: int, surge: int, steady: int | None = None) -> ReplicaSet:
    """Adds those that lack, under numbers never used before; with the older version's no more than `surge` too many.

    Takes: `steady`, how many may not be on spot, None for all. Where there are enough, but too few of a market, one
    more begins at a time: it lets another one go once it is ready.
    """
    staying = [replica for replica in held.replicas if not (replica.is_leaving or sight.has_notice(replica))]
    current = [replica for replica in staying if sight.is_current(replica)]
    on_demand, on_spot = _lacking(current, desired, steady)
    lacking, surge = desired - len(current), surge if desired > len(current) else max(surge, 1)
    count = min(lacking if lacking > 0 else min(on_demand + on_spot, 1), desired + surge - len(staying))
    count = count if sight.begins is None else min(count, sight.begins)
    if count <= 0 or is_awaited(held.retry_at, sight.now, BACKOFF_MAX_S):
        return held
    fresh = tuple(Replica(held.last_number + 1 + i, sight.key, is_spot=i >= on_demand) for i in range(count))
    return replace(held, replicas=(*held.replicas, *fresh), last_number=held.last_number + count)


def _lacking(current: Sequence[Replica], desired: int, steady: int | None) -> tuple[int, int]:
    """How many are missing on demand, and how many on spot."""
    steady = desired if steady is None else min(steady, desired)
    on_spot = sum(replica.is_spot for replica in current)
    return max(0, steady - len(current) + on_spot), max(0, desired - steady - on_spot)


def let_go(sight: Sight, held: ReplicaSet, desired: int, unavailable: int, steady: int | None = None) -> ReplicaSet:
    """Older replicas leave as far as `desired - unavailable` still answer without them; then what is too many, and
    what has notice as soon as the others do without it. `steady` is as for `start`."""
    staying = [replica for replica in held.replicas if not replica.is_leaving]
    noticed = {replica.part for replica in staying if sight.has_notice(replica)}
    # Silence takes nobody out of service.
    answering = {r.part for r in staying if sight.is_ready(r) or sight.is_silent(r)} - noticed
    current = [replica for replica in staying if replica.key == sight.key and replica.part not in noticed]
    least = max(0, desired - unavailable)
    leaving = _too_many(sight, current, desired, desired if steady is None else min(steady, desired))
    spare = len(answering - leaving) - least
    is_taken_over = sum(replica.part in answering for replica in current) >= least
    if spare >= 0:
        leaving |= noticed
    for replica in staying:
        if replica.key == sight.key or replica.part in leaving:
            continue
        if replica.part not in answering:
            # One whose check is late for a moment still answers, and may be all there is: it goes once it is spared.
            if not replica.well_at or is_taken_over:
                leaving.add(replica.part)
        elif spare > 0:
            leaving.add(replica.part)
            spare -= 1
    if not leaving:
        return held

    def after(replica: Replica) -> Replica:
        return replace(replica, is_leaving=True, left_at=sight.now) if replica.part in leaving else replica

    return replace(held, replicas=tuple(after(replica) for replica in held.replicas))


def _too_many(sight: Sight, current: Sequence[Replica], desired: int, steady: int) -> set[str]:
    """Of each market more than it should have, those that are not ready first. One that is ready leaves only where as
    many as are wanted still are: it may answer for one of the other market that has just begun."""
    kept: set[str] = set()
    for is_spot, count in ((False, steady), (True, desired - steady)):
        market = sorted((r for r in current if r.is_spot is is_spot), key=sight.is_ready, reverse=True)
        kept |= {replica.part for replica in market[:count]}
    loose = [replica for replica in current if replica.part not in kept]
    unready = [replica.part for replica in loose if not sight.is_ready(replica)]
    ready = [replica.part for replica in loose if sight.is_ready(replica)]
    surplus = max(0, len(current) - desired)
    spare = max(0, sum(sight.is_ready(replica) for replica in current) - desired)
    gone = unready[:surplus]
    return {*gone, *ready[: min(surplus - len(gone), spare)]}


def reroute(sight: Sight, held: ReplicaSet, address_of: Callable[[TaskFacts], str]) -> ReplicaSet:
    """The routing as it should be, under a new number where it differs from the one before.

    A replica that nobody has news of keeps what it had, and so does one whose check is late, or whose node goes away,
    while no other is ready.
    """
    staying = [replica for replica in held.replicas if not replica.is_leaving]
    had = dict(held.routed)
    lasting = [replica for replica in staying if not sight.has_notice(replica)]
    chosen = [r for r in lasting if sight.is_ready(r) or (r.part in had and sight.is_silent(r))]
    if not chosen:
        chosen = [replica for replica in staying if sight.is_running(replica) and replica.part in had]
    facts = {replica.part: sight.facts(replica) for replica in chosen}
    routed = tuple((part, address_of(known) if known else had[part]) for part, known in facts.items())
    if routed == held.routed and held.route_generation:
        return held
    return replace(held, routed=routed, route_generation=held.route_generation + 1)


def may_stop(sight: Sight, replica: Replica, busy: Mapping[str, int] | None, grace_s: float) -> bool:
    """Whether a leaving replica can be stopped. `busy`: requests under way by replica as the plane tells that has the
    newest routing; None where it has not yet."""
    if not replica.is_leaving or busy is None:
        return False
    # A request that never ends must not keep an old version, and its price, for ever.
    return busy.get(replica.part, 0) == 0 or not is_awaited(replica.left_at + grace_s, sight.now, grace_s)


def crashed(
    now: float,
    held: ReplicaSet,
    part: str,
    text: str,
    forgotten_after_s: float = CRASHES_FORGOTTEN_AFTER_S,
    counts: int = 1,
) -> ReplicaSet:
    """The first crash is followed at once, the next after 2, 4, 8 ... 60 s."""
    before = held.crashes if 0 <= now - held.crashed_at <= forgotten_after_s else 0
    wait_s = min(2.0 ** min(before, 10), BACKOFF_MAX_S) if before else 0.0
    return replace(held, crashes=before + counts, crashed_at=now, retry_at=now + wait_s, last_end=text, last_part=part)


def _end_of(sight: Sight, replica: Replica) -> tuple[str, TaskEnd | None]:
    """Why a replica is over; "" while it is not, or while nobody knows."""
    thing, facts = sight.things.get(replica.part), sight.facts(replica)
    if thing is None or thing.is_gone:
        return "it is gone", None
    if thing.refusal and not thing.is_released:
        return thing.refusal, None
    if facts is not None and facts.state is TaskState.ENDED:
        return _told(facts.end), facts.end
    return "", None


def _told(end: TaskEnd | None) -> str:
    if end is None:
        return "it is gone"
    return f"{end.reason} ({end.detail})" if end.detail else str(end.reason)
