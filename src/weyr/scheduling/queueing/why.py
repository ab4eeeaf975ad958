"""Why does a task wait, in values and in one sentence?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from weyr.scheduling.placement import Request
from weyr.scheduling.queueing.accounts import OF_USER, Account
from weyr.scheduling.queueing.nodes import suits
from weyr.scheduling.queueing.shapes import CPU, MEMORY, MONEY, Task
from weyr.scheduling.queueing.verdicts import Behind, NoQueue, NoRoom, OverLimit, Verdict

if TYPE_CHECKING:
    from weyr.scheduling.queueing.board import Queueing

NAMED_MAX = 3
"""So many users, and so many lacks, are named in a sentence."""


@dataclass(frozen=True, slots=True)
class UsedUp:
    """A limit of its queue, and who has what of it, most first."""

    name: str
    limit: int
    used: int
    by: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Lack:
    """Nodes that cannot take one replica now, and what each of them lacks first."""

    what: str
    nodes: tuple[str, ...]
    is_for_good: bool
    """Also an empty one could not take it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """`verdict` is what the last tick found; None: it has not been tried yet, as those before it come first."""

    task: Task
    verdict: Verdict | None
    used_up: tuple[UsedUp, ...] = ()
    lacks: tuple[Lack, ...] = ()
    room_for: int = 0
    """So many of its replicas would fit now."""
    ahead: int = 0
    """So many of its queue have their turn before it."""
    starts_s: float | None = None
    """When it should start, as far as is known."""

    def sentence(self, now_s: float) -> str:
        """One sentence for a person."""
        return self._cause() + self._turn() + self._estimate(now_s)

    def _cause(self) -> str:
        match self.verdict:
            case None:
                return "It has its turn after others"
            case NoQueue():
                return f"There is no queue {self.task.queue!r}"
            case OverLimit():
                return "; ".join(_used_up_text(self.task, each) for each in self.used_up) or "Its queue is at its limit"
            case Behind(head):
                return f"It is kept for {head}, which is first in line"
            case NoRoom():
                return self._room_text()
        assert_never(self.verdict)

    def _room_text(self) -> str:
        if self.task.replicas > 1:
            start = f"Room for {self.room_for} of its {self.task.replicas} replicas"
        else:
            start = "No node has room"
        lacks = [f"{_nodes_text(each.nodes)} {each.what}" for each in self.lacks]
        return f"{start} ({', '.join(lacks[:NAMED_MAX])})" if lacks else f"{start}: there is no node"

    def _turn(self) -> str:
        return f"; {self.ahead} of its queue {'are' if self.ahead > 1 else 'is'} before it" if self.ahead else ""

    def _estimate(self, now_s: float) -> str:
        if self.starts_s is None:
            return ""
        return f"; it should start in about {_time_text(self.starts_s - now_s)}"


def reason_of(board: "Queueing", id: str, now_s: float) -> Reason:
    """As of the last tick. Raises: KeyError where it does not wait."""
    lane = board.lanes.lane_of(id)
    task = board.lanes.tasks[id]
    verdict = lane.verdict
    account = board.accounts.get(task.queue)
    head = next((head for head in board.heads if head.id == id), None)
    is_without_room = isinstance(verdict, NoRoom)
    return Reason(
        task,
        verdict,
        tuple(_used_up(account, task, verdict.names)) if account and isinstance(verdict, OverLimit) else (),
        lacks_of(board, task.request) if is_without_room else (),
        max(
            (board.nodes.count(task.request, m, task.replicas) for m in board.nodes.models_for(task.request)), default=0
        )
        if is_without_room
        else 0,
        board.lanes.before(id),
        head.from_s if head else None,
    )


def lacks_of(board: "Queueing", request: Request) -> tuple[Lack, ...]:
    """What each node lacks for one replica; those that lack the same stand together, the most first."""
    said = board.nodes.lacks(request)
    found: dict[tuple[str, bool], list[str]] = {}
    for free in board.nodes.all():
        name = free.node.name
        what = said.get(name, "is closed: nothing new starts there")
        if what:
            found.setdefault((what, not suits(request, free.shape)), []).append(name)
    lacks = [Lack(what, tuple(nodes), is_for_good) for (what, is_for_good), nodes in found.items()]
    return tuple(sorted(lacks, key=lambda lack: (-len(lack.nodes), lack.what)))


def amount_text(name: str, amount: int) -> str:
    """An amount as people write it."""
    if name == MEMORY:
        return f"{amount / 2**30:.3g} GiB of memory"
    if name == MONEY:
        return f"{amount / 1e6:.2f} per hour"
    what = name.partition("/")[2] or ("CPU" if name == CPU else "GPU")
    return f"{amount / 1000:g} {what}"


def _used_up(account: Account, task: Task, names: Iterable[str]) -> Iterable[UsedUp]:
    for name in names:
        resource, of_user = name.removesuffix(OF_USER), name.endswith(OF_USER)
        limit = account.queue.user_limit if of_user else account.queue.limit
        used = account.users.get(task.user, {}) if of_user else account.used
        by = ((task.user, used.get(resource, 0)),) if of_user else tuple(account.largest_users(resource))
        yield UsedUp(resource, limit[resource], used.get(resource, 0), by)


def _used_up_text(task: Task, used_up: UsedUp) -> str:
    queue = f"queue {task.queue}" if task.queue else "the queue"
    by = ", ".join(
        f"{user or 'nobody named'} {amount_text(used_up.name, amount)}" for user, amount in used_up.by[:NAMED_MAX]
    )
    used, limit = amount_text(used_up.name, used_up.used), amount_text(used_up.name, used_up.limit)
    return f"{queue.capitalize()} uses {used} of the {limit} it may" + (f" ({by})" if by else "")


def _nodes_text(nodes: Sequence[str]) -> str:
    return nodes[0] if len(nodes) == 1 else f"each of {len(nodes)}"


def _time_text(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
