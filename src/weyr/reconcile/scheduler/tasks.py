"""Who runs where, and who waits for what? The task engines behind queues, gangs and nodes.

A task that must wait is accepted and seen as starting, with the reason why it waits. It is handed on, with its gang
and with its node and devices, when `weyr.scheduling.queueing` lets it in. Nothing of this is written down: the intents
are in the store, and where a task runs the engine says. What a restart finds accepted, never seen to have run and
absent from the engine is in line again.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from weyr.core.capability import Answers, Capability, Provider, Refused, TaskBody, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, EndReason, Present, Seen, TaskEnd, TaskFacts, TaskState, Unknown, newer_than
from weyr.reconcile.scheduler.board import Board
from weyr.reconcile.scheduler.groups import Group, Stage
from weyr.reconcile.scheduler.reasons import waits_text
from weyr.reconcile.scheduler.recovery import Recovery
from weyr.reconcile.scheduler.shapes import is_pooled
from weyr.store.kernel import ThingRow

NODE_GONE = "the node that it ran on is gone"
HALF = "the server ended while its gang was being started, so it begins anew"
FOLLOWED_EVERY_S = 1.0
"""How often one that was told to stop is looked at, where no doorbell tells of its end."""


@dataclass(slots=True)
class ScheduledTasks:
    """The TASKS capability, a Provider: `tasks` is the engines'."""

    tasks: Provider
    board: Board
    now: Callable[[], float]
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while the board is changed or read, and never while an engine is asked."""
    capability: Capability = Capability.TASKS
    _began: float = field(init=False)
    _recovery: Recovery = field(init=False)
    _ends: dict[ThingId, TaskEnd] = field(default_factory=dict, init=False)
    """Tasks that end here, since no engine has them."""
    _let_go: set[ThingId] = field(default_factory=set, init=False)
    """Tasks that their owners released."""
    _stopped_for: dict[ThingId, str] = field(default_factory=dict, init=False)
    _lost: set[ThingId] = field(default_factory=set, init=False)
    """Tasks whose node is proved to be gone."""
    _wakes: dict[Ref, float] = field(default_factory=dict, init=False)
    _unheard: dict[ThingId, Seen] = field(default_factory=dict, init=False)
    """How tasks ended that were seen to have when nobody had asked. The engine has told of it, and lets go of the
    record at a release, which it may have had before (seed 822): their owners have to hear of it first, for it is the
    bill's evidence (seeds 76, 83)."""

    def __post_init__(self) -> None:
        self._began = self.now()
        self._recovery = Recovery(self.board, (), self._began)

    def recover(self, known: Iterable[ThingRow]) -> None:
        """Takes what the store knows, when this server begins."""
        rows = [row for row in known if row.capability is self.capability and isinstance(row.body, TaskBody)]
        self._let_go = {row.id for row in rows if row.is_released}
        self._recovery = Recovery(self.board, [row for row in rows if not row.refusal], self._began)

    # --- the four verbs

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """As `Provider.observe`. Ends that are seen make room, which is given away at once."""
        with self.lock:
            asked = [id for id in dict.fromkeys([*ids, *self._recovery.unsure]) if self._may_be_there(id)]
        seen = self._look(asked)
        # An engine that does not answer now has said what it saw, and may have let go of an end's record (seed 822).
        with suppress(EngineSilent):
            self._step()
        with self.lock:
            seen |= {id: self._unheard[id] for id in ids if id in self._unheard and isinstance(seen.get(id), Absent)}
            self._note_unheard(seen, set(ids))
            return {id: self._seen(id, seen.get(id)) for id in ids}

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        """As `Provider.ensure`: what there is no room for is accepted, and waits."""
        with self.lock:
            unsure = [want.id for want in wanted if want.id in self._recovery.unsure]
        if unsure:
            # A server before this one may have handed it on, and not lived to write down that it was accepted.
            seen = self._look(unsure)
        with self.lock:
            self._note_unheard(seen if unsure else {})
            again = [said for want in wanted if (said := self._take(want))]
            unknown = {want.id for want in wanted if want.id in self._recovery.unsure}
        answers = dict(self.tasks.ensure(again)) if again else {}
        self._step()
        with self.lock:
            unknown |= {want.id for want in wanted if self._is_in_doubt(want.id)}
        return answers | {id: Unknown("the engine has not said yet whether it took it on") for id in unknown}

    def release(self, ids: Sequence[ThingId]) -> Answers:
        """As `Provider.release`. Who waits just leaves the line."""
        with self.lock:
            for id in ids:
                self._let_go.add(id)
                self._ends.pop(id, None)
                if not self._may_be_there(id):
                    self.board.withdraw(id)
            unheard = self._unheard.keys() & set(ids)
        heard = [id for id in ids if id not in unheard]
        answers = dict(self.tasks.release(heard)) if heard else {}
        self._step()
        return answers | {id: Unknown("how it ended was not asked for yet") for id in unheard}

    def inventory(self) -> Sequence[ThingId]:
        with self.lock:
            mine = [id for id in self.board.members if not self._may_be_there(id)]
        return [*self.tasks.inventory(), *mine]

    # --- what the loop and the other providers ask

    def rung(self) -> Mapping[Ref, float]:
        """Whose objects are to be looked at, and when: something is known of them that they did not ask for."""
        with self.lock:
            wakes, self._wakes = self._wakes, {}
            return wakes

    def step(self) -> None:
        """Something else changed, such as a node: who may start, starts."""
        self._step()

    def node_is_gone(self, node: str) -> None:
        """A node is proved to be gone, and with it whatever ran there."""
        for member in self.board.on(node):
            self._lost.add(member.want.id)
            self.board.over(member.want.id)
            self._wake(member.want.id.ref)

    # --- observing

    def _may_be_there(self, id: ThingId) -> bool:
        member = self.board.members.get(id)
        return member is None or member.told_at is not None

    def _look(self, ids: Sequence[ThingId]) -> dict[ThingId, Seen]:
        with self.lock:
            told_at = {id: member.told_at for id in ids if (member := self.board.members.get(id))}
        found = self.tasks.observe(ids)
        # Also an answer older than this server: the one before may have handed a task on and not lived to say so.
        seen = {id: self._as_lost(id, newer_than(told_at.get(id) or self._began, each)) for id, each in found.items()}
        with self.lock:
            for id, each in seen.items():
                self._note(id, each)
        return seen

    def _note_unheard(self, seen: Mapping[ThingId, Seen], asked: Collection[ThingId] = ()) -> None:
        for id, each in seen.items():
            match each:
                case Present(facts=TaskFacts(state=TaskState.ENDED)) if id not in asked:
                    self._unheard[id] = each
                    self._wake(id.ref)
                case Absent() if id not in asked:
                    continue
                case Unknown() | Present(as_of=float()) | Absent(as_of=float()):
                    continue  # what is of before may be too old for its owner to believe (seed 2536)
                case _:
                    self._unheard.pop(id, None)

    def _as_lost(self, id: ThingId, found: Seen) -> Seen:
        """Whose end nobody saw, on a node that is gone, ended with it."""
        match found:
            case Present(facts=TaskFacts(end=TaskEnd(reason=EndReason.LOST) as end) as facts) if id in self._lost:
                lost = replace(end, reason=EndReason.NODE_LOST, detail=NODE_GONE)
                return replace(found, facts=replace(facts, end=lost))
            case _:
                return found

    def _note(self, id: ThingId, found: Seen) -> None:
        """What a look at the engine says about its room."""
        if isinstance(found, Unknown):
            return
        if id in self._recovery.unsure:
            for half in self._recovery.found(id, found, id in self._let_go):
                self._end_half(half)
            if isinstance(found, Absent):
                return
        member, is_let_go = self.board.members.get(id), id in self._let_go
        if isinstance(found, Absent):
            self._let_go.discard(id)
            self._lost.discard(id)
            self._stopped_for.pop(id, None)
        if member is None or member.told_at is None:
            return
        match found:
            case Present(facts=TaskFacts(state=TaskState.ENDED) as facts):
                self._note_end(id, facts)
                if facts.end is not None and facts.end.reason is EndReason.SUCCEEDED:
                    self.board.queueing.succeeded(member.group, self.now())
                self._over(id)
            case Present(facts=TaskFacts(saved=saved)):
                member.is_accepted = True
                if saved and saved != member.saved:
                    member.saved = saved
                    self.board.queueing.checkpoint(member.group, self.now())
            case Absent() if member.is_accepted or member.is_stop_accepted or is_let_go:
                self._over(id)
            case Absent():
                return  # what it was told may have been lost, or may still take effect: it is said again
            case _:
                member.is_accepted = True

    def _over(self, id: ThingId) -> None:
        place = self.board.members[id].place
        if place is not None and is_pooled(self.board.members[id].body) and place.node:
            self._wake(ThingId.parse(place.node).ref)  # its pool may have an idle node now
        self.board.over(id)

    def _note_end(self, id: ThingId, facts: TaskFacts) -> None:
        """One that was interrupted keeps its place in line, for its next attempt."""
        group = self.board.groups[self.board.members[id].group]
        is_taken = facts.end is not None and facts.end.reason in (EndReason.RECLAIMED, EndReason.NODE_LOST)
        if (group.is_stopping or is_taken) and facts.started_at is not None and facts.ended_at is not None:
            ran_s = max(facts.ended_at - facts.started_at, 0.0) if facts.saved or facts.restored else 0.0
            self.board.interrupted(id.ref, group.since_s, group.attained_s + ran_s)

    def _seen(self, id: ThingId, found: Seen | None) -> Seen:
        if id in self._ends:
            return Present(TaskFacts(TaskState.ENDED, end=self._ends[id]))
        member = self.board.members.get(id)
        if member is not None and member.told_at is None:
            waits = waits_text(self.board, self.board.groups[member.group])
            return Present(TaskFacts(TaskState.STARTING, waits=waits), member.want.generation)
        if member is not None and not member.is_accepted and not isinstance(found, Present):
            return Unknown("its turn has come, and the engine has not answered yet")
        if member is not None and (found is None or isinstance(found, Absent)):
            return Present(TaskFacts(TaskState.STARTING), member.want.generation)  # handed on just now
        return self._as_interrupted(id, found or Unknown("it was not asked for"))

    def _as_interrupted(self, id: ThingId, found: Seen) -> Seen:
        """Whoever was stopped, and not by its owner, has made room: nobody else stops tasks. And whoever cannot be
        reached on a node that is gone, is gone with it."""
        match found:
            case Unknown() if id in self._lost:
                lost = TaskEnd(EndReason.NODE_LOST, detail=NODE_GONE)
                return Present(TaskFacts(TaskState.ENDED, end=lost))
            case Present(facts=TaskFacts(end=TaskEnd(reason=EndReason.STOPPED) as end) as facts) if (
                id not in self._let_go
            ):
                heir = self._stopped_for.get(id, "another")
                end = replace(end, reason=EndReason.PREEMPTED, detail=f"it made room for {heir}")
                return replace(found, facts=replace(facts, end=end))
            case _:
                return found

    # --- ensuring

    def _take(self, want: Wanted) -> Wanted | None:
        """A task is wanted. Gives it where the engine has it already and is to hear it again, with its place."""
        if want.id in self._recovery.unsure or want.id in self._ends:
            return None
        member = self.board.members.get(want.id)
        if member is None:
            self._let_go.discard(want.id)
            group = self.board.join(want, self.now())
            if group.stage is Stage.TOLD:
                self._end_half(group.id)
            self.board.line_up(group)
            return None
        if member.told_at is None:
            self.board.change(member, want)
            return None
        assert isinstance(want.body, TaskBody), f"{want.id} is no task"
        told = replace(want, body=replace(want.body, priority=member.body.priority))
        return self.board.placed(told, member.place) if member.is_accepted else None

    def _end_half(self, id: str) -> None:
        """A gang of which only a part began: that part is stopped, and the job begins again with all of it."""
        group = self.board.groups.get(id)
        if group is None:
            return
        for member in [each for each in group.members.values() if each.told_at is None]:
            self._ends[member.want.id] = TaskEnd(EndReason.PREEMPTED, detail=HALF)
            self._wake(member.want.id.ref)
            member.is_over = True
        group.is_stopping, group.heir = True, ""
        self.board.busy[id] = group
        if group.is_over:
            self.board.forget(group)

    def _is_in_doubt(self, id: ThingId) -> bool:
        member = self.board.members.get(id)
        return member is not None and member.told_at is not None and not member.is_accepted

    # --- carrying out

    def _step(self) -> None:
        """Decides if something changed, and tells the engines until nothing more follows."""
        while True:
            with self.lock:
                self._decide()
                stops, begins = list(self._stops()), list(self._begins())
            with suppress(EngineSilent):
                self._stop(stops)
            if not begins or not self._begin(begins):
                return

    def _decide(self) -> None:
        board, now = self.board, self.now()
        if now >= board.markets.look_at:
            for group in board.weigh(now):
                self._move(group)
            for group in board.markets.bounded.values():
                self._wake(group.ref, board.markets.look_at)
        if not board.is_dirty and (board.again_s is None or now < board.again_s):
            return
        before = board.lacking
        decisions = board.decide(now)
        if board.lacking != before:
            for pool in board.pools:
                self._wake(Ref.parse(pool))
        for stop in decisions.preemptions:
            group, heir = board.groups[stop.id], board.groups.get(stop.heir)
            for member in group.members.values():
                self._stopped_for[member.want.id] = heir.ref.absolute if heir else "another"
                self._wake(member.want.id.ref, now + FOLLOWED_EVERY_S)
        if board.again_s is not None and board.groups:
            self._wake(next(iter(board.groups.values())).ref, board.again_s)

    def _move(self, group: Group) -> None:
        """It goes on elsewhere, from its checkpoint."""
        group.is_stopping, group.heir, self.board.busy[group.id] = True, "", group
        for member in group.members.values():
            self._stopped_for[member.want.id] = f"its next attempt, {'on spot' if group.spot == 'no' else 'on demand'}"

    def _stops(self) -> Iterator[ThingId]:
        for group in self.board.busy.values():
            for member in group.members.values() if group.is_stopping else ():
                if member.told_at is not None and not member.is_over:
                    self._wake(member.want.id.ref, self.now() + FOLLOWED_EVERY_S)
                    if not member.is_stop_accepted:
                        yield member.want.id

    def _stop(self, ids: Sequence[ThingId]) -> None:
        if not ids:
            return
        answers = self.tasks.release(ids)
        with self.lock:
            for id in ids:
                if id in self.board.members and id not in answers:
                    self.board.members[id].is_stop_accepted = True

    def _begins(self) -> Iterator[Wanted]:
        """Whole gangs whose turn it is, and whoever was told and has not been heard of."""
        for group in list(self.board.busy.values()):
            if group.stage is Stage.CHOSEN and not group.after:
                group.stage = Stage.TOLD
            if group.stage is Stage.TOLD and not group.is_stopping:
                for member in group.in_order:
                    if not (member.is_accepted or member.is_over or member.want.id in self._let_go):
                        member.told_at = self.now()
                        yield self.board.filled(member)
            if not group.is_busy:
                del self.board.busy[group.id]

    def _begin(self, wanted: Sequence[Wanted]) -> bool:
        """Hands them on. Gives whether room came free by it."""
        try:
            answers = self.tasks.ensure(wanted)
        except EngineSilent:
            return False  # said again at the next look
        with self.lock:
            for want in wanted:
                if want.id not in self.board.members:
                    continue
                match answers.get(want.id):
                    case None:
                        self.board.members[want.id].is_accepted = True
                    case Refused(reason=reason):
                        self._ends[want.id] = TaskEnd(EndReason.REFUSED, detail=reason)
                        self._wake(want.id.ref)
                        self.board.over(want.id)
                    case Unknown():
                        continue
            return any(isinstance(answer, Refused) for answer in answers.values())

    def _wake(self, ref: Ref, at: float = 0.0) -> None:
        self._wakes[ref] = min(at, self._wakes.get(ref, at))
