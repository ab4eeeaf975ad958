"""Whose spending counts together? A reach names it: a stack, or all that bears some labels, in any stack. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from weyr.core.grants import is_allowed
from weyr.core.metering import Labels

USER, TEAM, QUEUE = "user", "team", "queue"
LIMIT = "budget:limit"
"""The right to hold what is of other stacks."""
OWN = (USER, TEAM, QUEUE)
"""Labels that Weyr gives; an object's tags have other names."""


@dataclass(frozen=True, slots=True)
class Reach:
    """All objects of `stack` ("": of every stack) that bear all of `labels`."""

    stack: str = ""
    labels: Labels = ()

    def covers(self, stack: str, labels: Iterable[tuple[str, str]]) -> bool:
        """Whether an object of this stack and with these labels is in it."""
        return self.stack in ("", stack) and set(self.labels) <= set(labels)


class Every(StrEnum):
    """The calendar period of UTC that a limit is for."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"

    @property
    def months(self) -> float:
        """How long it is, in price lists' months of 730 hours."""
        return _MONTHS[self]


_MONTHS = {Every.DAY: 24 / 730, Every.WEEK: 168 / 730, Every.MONTH: 1.0, Every.YEAR: 12.0}


@dataclass(frozen=True, slots=True)
class Expected:
    """What something that begins, and ends by itself, will use at most, or else about: it runs for `seconds`, it costs
    `micros`, or what those before it did (neither is given). `together`: those of the same word begin at once or not at
    all."""

    seconds: float | None = None
    micros: int | None = None
    together: str = ""


def resources_of(reach: Reach) -> tuple[str, ...]:
    """What a limit on a reach holds, as a grant names it: `team/vision`, `queue/gpu:queue/batch`, `project/llm`."""
    return tuple(f"{name}/{value}" for name, value in reach.labels)


def may_limit(grants: Iterable[str], owner: str, stack: str, reach: Reach) -> bool:
    """Whether somebody with these grants may set a limit in a stack that holds all in a reach.

    Everybody may limit the stack itself, what they bring up, and what goes through a queue of the stack. For what else
    other stacks run it takes the right `budget:limit` to one of the reach's labels: to all of them it is narrower.
    """
    if reach.stack == stack or (USER, owner) in reach.labels:
        return True
    if any(name == QUEUE and value.partition(":")[0] == stack for name, value in reach.labels):
        return True
    grants = tuple(grants)
    return any(is_allowed(grants, LIMIT, resource) for resource in resources_of(reach))


def labels_of(owner: str, team: str, queue: str, tags: Mapping[str, str]) -> Labels:
    """The labels of an object, sorted; what is "" is left out."""
    own = zip(OWN, (owner, team, queue), strict=True)
    return tuple(sorted({**tags, **{name: value for name, value in own if value}}.items()))
