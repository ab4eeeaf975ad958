"""Which nodes does a cluster have for a pool? They are there without us: one is taken into a pool, and let go again.

What is taken is written down, so that a node is in one pool at a time, also after a restart. How a node is, the cluster
says. One that the cluster does not list any more, or lists as another machine under the old name, is gone; one that the
cluster itself has lost sight of is unknown.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weyr.core.capability import Answers, Capability, Refused, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.pools import NodeBody, NodeFacts
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Present, Seen, Unknown

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A node as its cluster describes it. `identity` is another where a machine has taken the name of one that went;
    `lost` says why the cluster itself does not know how it is, "" while it does."""

    facts: NodeFacts
    identity: str = ""
    lost: str = ""


Look = Callable[[], Mapping[str, ClusterNode]]
"""The nodes that a cluster has for Weyr's tasks, by name, as they were a moment ago. Raises: EngineSilent."""


class ClusterNodes:
    """The NODES capability of a cluster, a Provider: a node's part is its name there.

    Takes a file of its own, who looks at the cluster, and the time (Unix seconds).
    """

    capability = Capability.NODES

    def __init__(self, path: Path, look: Look, now: Callable[[], float]) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path, self._look, self._now = path, look, now
        self._lock = threading.Lock()
        self._taken: dict[ThingId, Record] | None = None
        self._asking: set[str] = set()

    def offered(self, pool: str, labels: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """The nodes with all of these labels that are in no other pool, by name. Raises: EngineSilent."""
        self._asking.add(pool)
        others = {id.part for id in self._records() if id.ref.absolute != pool}
        found = self._look()
        return tuple(
            sorted(name for name, node in found.items() if {*labels} <= {*node.facts.labels} and name not in others)
        )

    def pools(self) -> list[ThingId]:
        """Whom to tell that something changed: those that asked what there is."""
        return [ThingId(Ref.parse(pool)) for pool in self._asking]

    def name_of(self, node: str) -> str:
        """What the cluster calls a node that the scheduler chose; "" where it is in no pool any more."""
        id = ThingId.parse(node)
        return id.part if id in self._records() else ""

    def identity_of(self, node: str) -> str:
        """Which machine it was when it was taken; "" where it is in no pool any more."""
        record = self._records().get(ThingId.parse(node))
        return str(record["identity"]) if record else ""

    # --- the four verbs

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """As `Provider.observe`. Raises: EngineSilent."""
        records = self._records()
        found = self._look() if any(id in records for id in ids) else {}
        return {id: self._seen(records[id], found.get(id.part)) if id in records else Absent() for id in ids}

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        """As `Provider.ensure`: takes nodes into their pools. Raises: EngineSilent."""
        found, answers = self._look(), {}
        with self._lock:
            records = dict(self._read())
            for want in wanted:
                answer = self._take(want, records, found)
                if isinstance(answer, Refused):
                    answers[want.id] = answer
                else:
                    records[want.id] = answer
            self._write(records)
        return answers

    def release(self, ids: Sequence[ThingId]) -> Answers:
        with self._lock:
            records = dict(self._read())
            for id in ids:
                records.pop(id, None)
            self._write(records)
        return {}

    def inventory(self) -> Sequence[ThingId]:
        return sorted(self._records())

    # --- within

    def _take(
        self, want: Wanted, records: Mapping[ThingId, Record], found: Mapping[str, ClusterNode]
    ) -> Record | Refused:
        assert isinstance(want.body, NodeBody), f"{want.id} is no node"
        known = records.get(want.id)
        if known is not None:
            if known["generation"] > want.generation:
                return Refused(f"generation {want.generation} is older than {known['generation']}")
            return known | {"generation": want.generation}
        other = next((id.ref for id in records if id.part == want.id.part), None)
        if other is not None:
            return Refused(f"node {want.id.part} is in {other.absolute} already")
        node = found.get(want.id.part)
        if node is None:
            return Refused(f"the cluster has no node {want.id.part} any more")
        return {"generation": want.generation, "identity": node.identity, "began_at": self._now()}

    def _seen(self, record: Record, node: ClusterNode | None) -> Seen:
        if node is None or node.identity != record["identity"]:
            return Absent()
        if node.lost:
            return Unknown(node.lost)
        return Present(replace(node.facts, began_at=record["began_at"]), record["generation"])

    def _records(self) -> Mapping[ThingId, Record]:
        with self._lock:
            return self._read()

    def _read(self) -> Mapping[ThingId, Record]:
        """Raises: EngineSilent."""
        if self._taken is None:
            try:
                plain = json.loads(self._path.read_text()) if self._path.exists() else {}
            except (OSError, ValueError) as e:
                raise EngineSilent(f"which nodes are in pools cannot be read: {e}") from e
            self._taken = {ThingId.parse(id): record for id, record in plain.items()}
        return self._taken

    def _write(self, records: dict[ThingId, Record]) -> None:
        """Raises: EngineSilent."""
        if records == self._taken:
            return
        new = self._path.with_suffix(".new")
        try:
            new.write_text(json.dumps({str(id): record for id, record in records.items()}))
            new.replace(self._path)
        except OSError as e:
            raise EngineSilent(f"which nodes are in pools cannot be written down: {e}") from e
        self._taken = records
