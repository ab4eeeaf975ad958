"""What has to be there before a task can log its runs, and what is left to say when it died?

Wraps the task engine: an experiment is made before the first task that logs to it starts, and
runs that a task left open are closed once its end is known.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from weyr.core.capability import Answers, Capability, Provider, TaskBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import EndReason, Present, Seen, TaskEnd, TaskFacts


class RunKeeper(Protocol):
    """The tracking service as tasks need it."""

    def ensure_experiments(self, wanted: Mapping[str, tuple[str, str]]) -> object:
        """Makes experiments that are not there. Takes by name where its files lie, and the stack that owns it."""
        ...

    def end_running(self, ended: Mapping[ThingId, str]) -> int:
        """Ends the runs that tasks left open. Takes MLflow's word for how each ended. Gives how many."""
        ...


class TrackedTasks:
    """The task engine with its runs kept."""

    capability = Capability.TASKS

    def __init__(self, tasks: Provider, keeper: RunKeeper, default_bucket: str) -> None:
        self._tasks, self._keeper, self._default_bucket = tasks, keeper, default_bucket
        self._closed: set[ThingId] = set()

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        seen = self._tasks.observe(ids)
        ended: dict[ThingId, str] = {}
        for id, found in seen.items():
            match found:
                case Present(facts=TaskFacts(end=TaskEnd(reason=reason))) if id not in self._closed:
                    ended[id] = _status(reason)
                case _:
                    continue
        if ended:
            self._keeper.end_running(ended)
            self._closed |= ended.keys()
        return seen

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        experiments: dict[str, tuple[str, str]] = {}
        for want in wanted:
            if isinstance(want.body, TaskBody) and want.body.experiment:
                root = f"mlflow-artifacts:/{want.body.artifact_bucket or self._default_bucket}"
                stack = want.id.ref.stack
                experiments[want.body.experiment] = f"{root}/artifacts/{stack}", stack
        if experiments:
            self._keeper.ensure_experiments(experiments)
        return self._tasks.ensure(wanted)

    def release(self, ids: Sequence[ThingId]) -> Answers:
        self._closed.difference_update(ids)
        return self._tasks.release(ids)

    def inventory(self) -> Sequence[ThingId]:
        return self._tasks.inventory()


def _status(reason: EndReason) -> str:
    """MLflow's word for how a run ended that did not say so itself."""
    match reason:
        case EndReason.SUCCEEDED:
            return "FINISHED"
        case EndReason.RECLAIMED | EndReason.STOPPED | EndReason.LOST | EndReason.NODE_LOST | EndReason.PREEMPTED:
            return "KILLED"
        case _:
            return "FAILED"
