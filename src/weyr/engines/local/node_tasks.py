"""What becomes of tasks when their node does not answer, or is gone? Of the one nothing is known until it answers
again, and the tasks run on; with the other they end.

On one machine no line between the server and a slice of it can be cut, and no slice falls over by itself: the asking
stops here, and whatever is found on a slice that is gone is ended here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from weyr.attempt.tasks import Tasks
from weyr.core.capability import Answers, Capability, Refused, TaskBody, Wanted
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import EndReason, Present, Seen, TaskFacts, Unknown
from weyr.engines.local.nodes import CUT, LocalNodes


class NodeTasks:
    """This machine's tasks, a Provider, each with the fate of its node."""

    capability = Capability.TASKS
    nodes = None
    """A machine has none that are there without us: its slices are made, by `LocalNodes`."""

    def __init__(self, tasks: Tasks, nodes: LocalNodes) -> None:
        self._tasks, self._nodes = tasks, nodes

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        gone = self._nodes.gone()
        stranded = [id for id in ids if self._tasks.node_of(id) in gone] if gone else []
        for id in stranded:
            self._tasks.reclaim(id, 0.0)  # also what began after its node had notice
        cut = self._out_of_reach(ids)
        seen = dict(self._tasks.observe([id for id in ids if id not in cut])) | dict.fromkeys(cut, Unknown(CUT))
        return seen | {id: _with_its_node(seen[id]) for id in stranded}

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        nodes = self._nodes.cut_off()
        cut = [want.id for want in wanted if isinstance(want.body, TaskBody) and want.body.node in nodes]
        answers: dict[ThingId, Refused | Unknown] = dict.fromkeys(cut, Unknown(CUT))
        return answers | dict(self._tasks.ensure([want for want in wanted if want.id not in answers]))

    def release(self, ids: Sequence[ThingId]) -> Answers:
        cut = self._out_of_reach(ids)
        answers: dict[ThingId, Refused | Unknown] = dict.fromkeys(cut, Unknown(CUT))
        return answers | dict(self._tasks.release([id for id in ids if id not in cut]))

    def inventory(self) -> Sequence[ThingId]:
        return self._tasks.inventory()

    # --- what the server shows of tasks

    def on(self, node: ThingId) -> list[ThingId]:
        """The tasks that were given this node. Raises: OSError."""
        return [id for id in self._tasks.claimed() if self._tasks.node_of(id) == str(node)]

    def claimed(self) -> Sequence[ThingId]:
        return self._tasks.claimed()

    def logs(self, id: ThingId, follow: bool = False, tail: int | None = None) -> Iterator[bytes]:
        return self._tasks.logs(id, follow, tail)

    def tasks_of(self, ref: Ref) -> list[ThingId]:
        return self._tasks.tasks_of(ref)

    def reclaim(self, id: ThingId, notice_s: float) -> bool:
        return self._tasks.reclaim(id, notice_s)

    def _out_of_reach(self, ids: Sequence[ThingId]) -> list[ThingId]:
        nodes = self._nodes.cut_off()
        return [id for id in dict.fromkeys(ids) if self._tasks.node_of(id) in nodes] if nodes else []


def _with_its_node(seen: Seen) -> Seen:
    """What a machine that fell over would leave is a killed wrapper: that it was the node is known here only."""
    if isinstance(seen, Present) and isinstance(seen.facts, TaskFacts) and seen.facts.end is not None:
        end = seen.facts.end
        if end.reason is EndReason.LOST:
            end = replace(end, reason=EndReason.NODE_LOST, detail="its node is gone")
            return replace(seen, facts=replace(seen.facts, end=end))
    return seen
