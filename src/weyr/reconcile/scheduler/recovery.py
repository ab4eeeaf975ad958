"""What did a server find when it began? Tasks that the one before it may have handed on, until an engine says so."""

from collections.abc import Iterable, Iterator

from weyr.core.capability import TaskBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, Present, Seen, TaskFacts, TaskState
from weyr.reconcile.scheduler.board import Board
from weyr.reconcile.scheduler.groups import Group
from weyr.reconcile.scheduler.shapes import is_pooled
from weyr.store.kernel import ThingRow


class Recovery:
    """Takes the tasks that the store knows, and when this server began.

    One that needs no pool runs here if it runs at all, and has its room at once. Where another one is only its engine
    knows: until that is seen, nothing starts on any pool's nodes.
    """

    def __init__(self, board: Board, rows: Iterable[ThingRow], began: float) -> None:
        self._board, self._began = board, began
        self.unsure: dict[ThingId, ThingRow] = {}
        groups: dict[str, Group] = {}
        for row in rows:
            body = row.body
            assert isinstance(body, TaskBody), f"{row.id} is no task"
            self.unsure[row.id] = row
            group = board.join(Wanted(row.id, row.generation, body), row.asked_at or began)
            groups[group.id] = group
            member = board.members[row.id]
            member.told_at, member.is_accepted = began, row.is_accepted
            if is_pooled(body):
                board.unsure.add(row.id)
            else:
                member.place = board.place_of(body, row.id.ref, TaskFacts(TaskState.STARTING))
        for group in groups.values():
            if not is_pooled(group.body):
                board.adopt(group, began)

    def found(self, id: ThingId, seen: Seen, is_let_go: bool) -> Iterator[str]:
        """What an engine says of one of them, which its owner may have let go since (`is_let_go`). Gives the gangs of
        which only a part was begun."""
        body = self.unsure[id].body
        if isinstance(body, TaskBody) and is_pooled(body) and self._is_on_unseen_node(seen):
            return
        row, group = self.unsure.pop(id), self._board.group_of(id)
        if group is None:
            self._board.settle(id)
            return
        member = self._board.members[id]
        match seen:
            case Present(facts=TaskFacts(state=TaskState.ENDED)):
                member.is_over = True
            case Present(facts=TaskFacts() as facts):
                member.is_accepted = True
                if is_pooled(member.body):
                    member.place = self._board.place_of(member.body, id.ref, facts)
            case Absent() if is_let_go or (row.is_accepted and _has_run(row.seen)):
                member.is_over = True
            case _:
                member.told_at = None
        if not any(other.want.id in self.unsure for other in group.members.values()):
            yield from self._conclude(group)
        self._board.settle(id)

    def _is_on_unseen_node(self, seen: Seen) -> bool:
        """What its devices are called is known once its node was seen; it is asked for again."""
        match seen:
            case Present(facts=TaskFacts(state=TaskState.ENDED)):
                return False
            case Present(facts=TaskFacts(node=str(node))) if node:
                return ThingId.parse(node) in self._board.expected
            case _:
                return False

    def _conclude(self, group: Group) -> Iterator[str]:
        """All of it has been seen."""
        members = group.in_order
        if all(member.told_at is None for member in members):
            self._board.resubmit(group)
        elif group.is_over:
            self._board.forget(group)
        else:
            if is_pooled(group.body):
                self._board.adopt(group, self._began)
            if any(member.told_at is None for member in members):
                yield group.id


def _has_run(seen: Seen) -> bool:
    """Whether the engine has been seen to have it, so that its absence now means that it is gone."""
    return isinstance(seen, Present) and isinstance(seen.facts, TaskFacts) and not seen.facts.waits
