"""In which order does what has an address go away? First what brings callers, then what answers them. Pure."""

from collections.abc import Callable, Collection
from typing import TypeVar

from weyr.core.capability import TaskBody
from weyr.core.decision import Condition, ConditionType, Decision, Release, View
from weyr.core.moment import is_awaited

M = TypeVar("M")


def removed(
    view: View[M], since: float, remember: Callable[[float], M], doors: Collection[str], texts: tuple[str, str]
) -> Decision[M]:
    """The next step: lets go of the parts in `doors`, so that nobody is sent to a task that stops; then of the rest.

    A caller that does not leave, or a plane that does not answer, delays that by the tasks' grace and no more. Takes
    since when it goes away (0: since now), what makes a memory of that, and what is said during each step.
    """
    live = {part: thing for part, thing in view.things.items() if not thing.is_gone}
    if not live:
        return Decision(forget=True)
    since = since or view.now
    grace_s = max((thing.body.grace_s for thing in live.values() if isinstance(thing.body, TaskBody)), default=0.0)
    open_doors = [part for part in live if part in doors]
    is_draining = bool(open_doors) and is_awaited(since + grace_s, view.now, grace_s)
    removing = Condition(ConditionType.READY, False, "Removing", texts[0] if is_draining else texts[1])
    parts = open_doors if is_draining else list(live)
    return Decision(tuple(Release(part) for part in parts), (removing,), memory=remember(since), again_s=0.2)
