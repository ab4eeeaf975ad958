"""Who stands in line for a machine? Tasks that are wanted and that it has no room for yet.

Wraps the task engine. A task that must wait is accepted and seen as starting, with the reason why it waits; it is
handed on when `weyr.scheduling.admission` lets it in, at the look that sees another end. The line itself is nowhere
written down: the intents are in the store, and a task that a restart finds accepted, never seen to have run and absent
from the engine is in line again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from weyr.core.capability import Answers, Capability, Provider, Refused, TaskBody, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, EndReason, Present, Seen, TaskEnd, TaskFacts, TaskState, Unknown, newer_than
from weyr.scheduling.admission import Claim, Room, admitted
from weyr.store.kernel import ThingRow


class Line:
    """The task engine behind a line: no more run at once than its machine has room for.

    Takes the things that the store knows, so that what runs since before a restart counts; and `now`, in Unix seconds.
    """

    capability = Capability.TASKS

    def __init__(self, tasks: Provider, room: Room, now: Callable[[], float], known: Iterable[ThingRow] = ()) -> None:
        self._tasks, self._room, self._now = tasks, room, now
        self._began = now()
        self._told_at: dict[ThingId, float] = {}
        """When the engine was told of them last, which the loop does not know: it had its answer long before."""
        self._waiting: dict[ThingId, Wanted] = {}
        self._claims: dict[ThingId, Claim] = {}
        """Those of who waits, in the same order: worked out once, not at each end that a thousand wait for."""
        self._handed: dict[ThingId, Claim | None] = {}
        """What the engine has, and what each may use; None once it is seen to have ended."""
        self._unproved: dict[ThingId, Wanted] = {}
        self._refused: dict[ThingId, str] = {}
        for row in known:
            if row.capability is self.capability and isinstance(row.body, TaskBody) and row.is_accepted:
                self._handed[row.id] = _claim(row.body)
                if not row.is_released and not _has_run(row.seen):
                    self._unproved[row.id] = Wanted(row.id, row.generation, row.body)

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """As `Provider.observe`. Ends that are seen make room, which is given away at once."""
        found = self._tasks.observe([id for id in ids if id not in self._waiting])
        # Also an answer older than this server: the one before may have handed a task on and not lived to say so.
        seen = {id: newer_than(self._told_at.get(id, self._began), each) for id, each in found.items()}
        for id, each in seen.items():
            self._note(id, each)
        trouble: dict[ThingId, str] = {}
        try:
            for id, answer in self._let_in().items():
                (self._refused if isinstance(answer, Refused) else trouble)[id] = answer.reason
        except EngineSilent as e:
            # What was seen is true all the same; they stay in line.
            trouble = dict.fromkeys(self._waiting, str(e))
        return {id: self._seen(id, seen.get(id), trouble.get(id, "")) for id in ids}

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        """As `Provider.ensure`: what there is no room for is accepted, and waits."""
        answers = dict(self._tasks.ensure([want for want in wanted if want.id in self._handed]))
        for want in wanted:
            if want.id not in self._handed:
                self._queue(want)
        return answers | self._let_in()

    def release(self, ids: Sequence[ThingId]) -> Answers:
        """As `Provider.release`. Who waits just leaves the line."""
        for id in ids:
            self._leave(id)
            self._unproved.pop(id, None)
            self._refused.pop(id, None)
        return self._tasks.release(ids)

    def inventory(self) -> Sequence[ThingId]:
        return [*self._tasks.inventory(), *self._waiting]

    def _let_in(self) -> dict[ThingId, Refused | Unknown]:
        """Hands on whoever's turn it is. Gives those the engine refuses, who leave the line, and those it cannot
        tell of, who go to its end: they may have begun, and are told to again. Raises: EngineSilent."""
        found: dict[ThingId, Refused | Unknown] = {}
        while self._waiting:
            held = [claim for claim in self._handed.values() if claim]
            ids = [id for id in admitted(self._room, held, self._claims) if id not in found]
            if not ids:
                break
            self._told_at |= dict.fromkeys(ids, self._now())
            answers = self._tasks.ensure([self._waiting[id] for id in ids])
            for id in ids:
                want, claim = self._waiting[id], self._claims[id]
                self._leave(id)
                match answers.get(id):
                    case None:
                        self._handed[id] = claim
                    case Unknown() as unknown:
                        self._queue(want)
                        found[id] = unknown
                    case Refused() as refused:
                        found[id] = refused
            if not answers:
                break  # nobody's room is left over
        return found

    def _queue(self, want: Wanted) -> None:
        self._waiting[want.id], self._claims[want.id] = want, _claim(want.body)

    def _leave(self, id: ThingId) -> None:
        self._waiting.pop(id, None)
        self._claims.pop(id, None)

    def _note(self, id: ThingId, found: Seen) -> None:
        """What a look at the engine says about its room."""
        match found:
            case Present(facts=TaskFacts(state=TaskState.ENDED)):
                self._handed[id] = None
                self._unproved.pop(id, None)
            case Present():
                self._unproved.pop(id, None)
            case Absent():
                self._handed.pop(id, None)
                self._told_at.pop(id, None)
                if id in self._unproved:
                    self._queue(self._unproved.pop(id))
            case Unknown():
                return

    def _seen(self, id: ThingId, found: Seen | None, trouble: str) -> Seen:
        want = self._waiting.get(id)
        if want is not None and trouble:
            return Unknown(f"its turn may have come, and the engine is silent: {trouble}")
        if want is not None:
            return Present(TaskFacts(TaskState.STARTING, waits=self._reason(want)), want.generation)
        if id in self._refused:
            end = TaskEnd(EndReason.REFUSED, detail=self._refused[id])
            return Present(TaskFacts(TaskState.ENDED, end=end))
        if found is None or (isinstance(found, Absent) and id in self._handed):
            return Present(TaskFacts(TaskState.STARTING))  # handed on just now
        return found

    def _reason(self, want: Wanted) -> str:
        """The same for as long as it waits: a place in line that is told anew at each step would be a flood."""
        claim = _claim(want.body)
        needs = f"{claim.cpu:g} CPU" + (f" and {claim.memory_bytes >> 20} MiB" if claim.memory_bytes else "")
        return f"it waits its turn for {needs} of the {self._room.cpu:g} CPU here"


def _claim(body: object) -> Claim:
    assert isinstance(body, TaskBody), f"a {type(body).__name__} is no task"
    return Claim(body.cpu, body.memory_bytes or 0, is_standing=bool(body.probe))


def _has_run(seen: Seen) -> bool:
    """Whether the engine has been seen to have it, so that its absence now means that it is gone."""
    return isinstance(seen, Present) and isinstance(seen.facts, TaskFacts) and not seen.facts.waits
