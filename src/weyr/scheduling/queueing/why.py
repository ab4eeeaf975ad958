"""Why does a task wait, in values and in one sentence?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from weyr.scheduling.queueing.accounts import Account
from weyr.scheduling.queueing.nodes import WHOLE, Free
from weyr.scheduling.queueing.shapes import CPU, GPU, MEMORY, MONEY, Need, Task
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
                return f"The room there is is kept for {head}, which is first in line"
            case NoRoom():
                return self._room_text()
        assert_never(self.verdict)

    def _room_text(self) -> str:
        if self.task.replicas > 1:
            start = f"Room for {self.room_for} of its {self.task.replicas} replicas"
        else:
            start = "No node has room"
        lacks = [f"{len(each.nodes)} {'lack' if len(each.nodes) > 1 else 'lacks'} {each.what}" for each in self.lacks]
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
        lacks_of(task.need, board.nodes.all()) if is_without_room else (),
        max((board.nodes.room_for(task.need, m, task.replicas) for m in board.models_for(task.need)), default=0)
        if is_without_room
        else 0,
        board.lanes.before(id),
        head.from_s if head else None,
    )


def lacks_of(need: Need, frees: Iterable[Free]) -> tuple[Lack, ...]:
    """What each node lacks for one replica; those that lack the same stand together, the most first."""
    found: dict[tuple[str, bool], list[str]] = {}
    for free in frees:
        lack = lack_of(need, free)
        if lack is not None:
            found.setdefault(lack, []).append(free.node.name)
    lacks = [Lack(what, tuple(nodes), is_for_good) for (what, is_for_good), nodes in found.items()]
    return tuple(sorted(lacks, key=lambda lack: (-len(lack.nodes), lack.what)))


def lack_of(need: Need, free: Free) -> tuple[str, bool] | None:
    """What the node lacks first, and whether for good; None where it has room."""
    node = free.node
    if need.labels - node.labels:
        return f"the label {min(need.labels - node.labels)}", True
    if node.taints - need.bears:
        return f"tolerance for its taint {min(node.taints - need.bears)}", True
    if need.gpu_milli and not node.gpus:
        return "a GPU", True
    if need.gpu_milli and need.models and node.model not in need.models:
        return f"the model {' or '.join(sorted(need.models))}", True
    if need.gpu_milli > node.gpus * WHOLE:
        return f"{amount_text(GPU, need.gpu_milli)} at all", True
    if need.cpu_milli > node.cpu_milli:
        return f"{amount_text(CPU, need.cpu_milli)} at all", True
    if need.memory_bytes > node.memory_bytes:
        return f"{amount_text(MEMORY, need.memory_bytes)} at all", True
    if not node.is_open:
        return "an open door: nothing new starts there", False
    if (
        Free.count(free, Need(gpu_milli=need.gpu_milli, models=need.models, labels=need.labels, bears=need.bears), 1)
        < 1
    ):
        return f"{amount_text(GPU, need.gpu_milli)} free", False
    if need.cpu_milli > free.cpu:
        return f"{amount_text(CPU, need.cpu_milli)} free", False
    if need.memory_bytes > free.memory:
        return f"{amount_text(MEMORY, need.memory_bytes)} free", False
    return None


def amount_text(name: str, amount: int) -> str:
    """An amount as people write it."""
    if name == MEMORY:
        return f"{amount / 2**30:.3g} GiB of memory"
    if name == MONEY:
        return f"{amount / 1e6:.2f} per hour"
    what = name.partition("/")[2] or ("CPU" if name == CPU else "GPU")
    return f"{amount / WHOLE:g} {what}"


def _used_up(account: Account, task: Task, names: Iterable[str]) -> Iterable[UsedUp]:
    for name in names:
        resource, _, of_user = name.partition(" of ")
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


def _time_text(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
