"""What starts together? A gang, or a task by itself: one line of the scheduler's list."""

from dataclasses import dataclass, field
from enum import Enum, auto

from weyr.core.capability import TaskBody, Wanted
from weyr.core.ref import Ref, ThingId
from weyr.scheduling.placement import Placed


class Stage(Enum):
    """How far a group has come."""

    GATHERING = auto()
    """Not all of it have been wanted yet."""
    WAITING = auto()
    CHOSEN = auto()
    """It has its room, and starts once those that make it are seen to have ended."""
    TOLD = auto()
    """The engine was told of it."""


@dataclass(slots=True)
class Member:
    """One task of a group. `told_at` is when the engine was told of it last, None before; `is_accepted`, that it said
    yes; `is_over`, that it is seen to have ended or to be gone; `saved`, its newest checkpoint as seen."""

    want: Wanted
    group: str
    place: Placed | None = None
    saved: str = ""
    told_at: float | None = None
    is_accepted: bool = False
    is_over: bool = False
    is_stop_accepted: bool = False

    @property
    def body(self) -> TaskBody:
        assert isinstance(self.want.body, TaskBody), f"{self.want.id} is no task"
        return self.want.body


@dataclass(slots=True)
class Group:
    """Tasks that start together, by their rank.

    `since_s` is when it first stood in line, `again_since_s` when it did after an interruption. `after` are those whose
    ends make its room, and `heir` is for whom it has to stop itself.
    """

    id: str
    size: int
    since_s: float
    again_since_s: float | None = None
    attained_s: float = 0.0
    stage: Stage = Stage.GATHERING
    members: dict[int, Member] = field(default_factory=dict)
    after: set[str] = field(default_factory=set)
    heir: str = ""
    is_stopping: bool = False
    spot: str = ""
    """What its nodes must say of themselves: "yes" or "no" to spot, "" where that is all one."""

    @property
    def body(self) -> TaskBody:
        """What one of them is like; all are alike."""
        return next(iter(self.members.values())).body

    @property
    def ref(self) -> Ref:
        return next(iter(self.members.values())).want.id.ref

    @property
    def in_order(self) -> list[Member]:
        """By rank."""
        return [self.members[rank] for rank in sorted(self.members)]

    @property
    def is_busy(self) -> bool:
        """Whether engines have to be told something of it."""
        is_doubtful = any(not (member.is_accepted or member.is_over) for member in self.members.values())
        return self.stage is Stage.CHOSEN or self.is_stopping or (self.stage is Stage.TOLD and is_doubtful)

    @property
    def is_over(self) -> bool:
        return all(member.is_over for member in self.members.values())


def group_id(id: ThingId, body: TaskBody) -> str:
    """Under which name a task stands in line."""
    return f"{id.ref.absolute}#{body.gang.name}*" if body.gang else str(id)


def rank_of(body: TaskBody) -> int:
    return body.gang.rank if body.gang else 0


def size_of(body: TaskBody) -> int:
    return body.gang.size if body.gang else 1
