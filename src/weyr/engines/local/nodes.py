"""Which nodes does this machine have? Slices of it, each a small file: what it was asked for, and what it was given.

A slice's CPU and memory are counted, not walled off: what a task on it may use is bounded with the task. Devices are
given to one slice at a time: those that the driver knows where they are to be detected, else numbers as declared.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from weyr.attempt.nvml import Device, Found, NvmlTrouble
from weyr.core.capability import Answers, Capability, Refused, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.pools import NodeBody, NodeFacts, NodeState
from weyr.core.ref import ThingId
from weyr.core.schema import from_plain, to_plain
from weyr.core.seen import Absent, Present, Seen, Unknown

CUT = "its node cannot be reached"
FRESH_S = 10.0
"""For so long what the driver said holds for nodes that might be made."""

Record = dict[str, Any]


class LocalNodes:
    """The NODES capability of this machine, a Provider.

    Takes a folder of its own, what the machine has, how its devices are found (raises NvmlTrouble), the time, and
    `reclaim`, which gives a node's tasks their notice.
    """

    capability = Capability.NODES

    def __init__(
        self,
        folder: Path,
        cpu: float,
        memory_bytes: int,
        detect: Callable[[], Found],
        now: Callable[[], float],
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._cpu, self._memory_bytes = folder, cpu, memory_bytes
        self._detect, self._now = detect, now
        self._known: dict[NodeBody, tuple[Collection[ThingId], float, NodeBody]] = {}
        """What `fresh` found, beside which nodes and when."""
        self._cut: dict[str, float] = {}
        """Nodes that answer again at a time, and `_going`, those that are gone from a time on: few, and none mostly."""
        self._going: dict[str, float] = {}
        with suppress(EngineSilent):  # said at the first look
            for id, record in self._read():
                self._remember(id, record)

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """As `Provider.observe`. A node whose notice has run out is gone."""
        records = self._records()
        cut = self.cut_off()
        return {
            id: Unknown(CUT) if str(id) in cut else self._seen(records[id]) if id in records else Absent() for id in ids
        }

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        answers: dict[ThingId, Refused | Unknown] = {}
        for want in wanted:
            assert isinstance(want.body, NodeBody), f"{want.id} is no node"
            if str(want.id) in self.cut_off():
                answers[want.id] = Unknown(CUT)
                continue
            records = self._records()
            known = records.get(want.id)
            if known is not None and known["generation"] > want.generation:
                answers[want.id] = Refused(f"generation {want.generation} is older than {known['generation']}")
            elif known is not None:
                self._write(want.id, known | {"generation": want.generation})
            else:
                made = self._made(want.body, [record for id, record in records.items() if id != want.id])
                if isinstance(made, Refused):
                    answers[want.id] = made
                else:
                    self._write(want.id, made | {"generation": want.generation})
        return answers

    def release(self, ids: Sequence[ThingId]) -> Answers:
        cut = self.cut_off()
        for id in ids:
            if str(id) not in cut:
                self._path(id).unlink(missing_ok=True)
        return {id: Unknown(CUT) for id in ids if str(id) in cut}

    def inventory(self) -> Sequence[ThingId]:
        return sorted(self._records())

    # --- what this engine offers beside the verbs

    def has(self, name: str) -> bool:
        """Whether there is a node of this name, its notice not run out."""
        record = self._records().get(ThingId.parse(name))
        return record is not None and isinstance(self._seen(record), Present)

    def reclaim(self, id: ThingId, notice_s: float) -> bool:
        """The node is to go in `notice_s`: nothing new starts there. Gives False where there is no such node.

        What is on it gets its own notice, see `LocalHost`; the node is seen to be gone when the time is up.
        """
        record = self._records().get(id)
        if record is None:
            return False
        if record.get("notice_at") is None:
            now = self._now()
            self._change(id, record | {"notice_at": now, "gone_at": now + notice_s})
        return True

    def lose(self, id: ThingId) -> bool:
        """The node is gone at once, and nobody was told; what is on it the caller ends. False: no such node."""
        record = self._records().get(id)
        if record is not None:
            self._change(id, record | {"gone_at": self._now()})
        return record is not None

    def cut(self, id: ThingId, for_s: float) -> bool:
        """Nobody reaches the node for so long; it, and what is on it, is there all the same. False: no such node."""
        record = self._records().get(id)
        if record is not None:
            self._change(id, record | {"silent_until": self._now() + for_s})
        return record is not None

    def cut_off(self) -> Collection[str]:
        """The names of nodes that nobody reaches now."""
        if self._cut:
            now = self._now()
            self._cut = {name: until for name, until in self._cut.items() if until > now}
        return self._cut

    def gone(self) -> Collection[str]:
        """The names of nodes that went by themselves: what is still on them goes with them."""
        now = self._now() if self._going else 0.0
        return [name for name, at in self._going.items() if at <= now]

    def fresh(self, body: NodeBody) -> NodeBody:
        """What a node of this body would have that were made now; as it is where none could be. Takes some
        milliseconds of the driver's time at most once in `FRESH_S`. Raises: EngineSilent."""
        others = self._records()
        known = self._known.get(body)
        if known is None or known[0] != others.keys() or self._now() - known[1] > FRESH_S:
            made = self._made(body, list(others.values()))
            whole = body if isinstance(made, Refused) else self._whole(body, made)
            known = self._known[body] = others.keys(), self._now(), whole
        return known[2]

    # --- within

    def _seen(self, record: Record) -> Seen:
        body: NodeBody = from_plain(NodeBody, record["body"])
        gone_at = record.get("gone_at")
        if gone_at is not None and self._now() >= gone_at:
            return Absent()
        facts = NodeFacts(
            NodeState.READY if gone_at is None else NodeState.DRAINING,
            record["began_at"],
            record.get("notice_at"),
            gone_at,
            body.cpu or self._cpu,
            body.memory_bytes or self._memory_bytes,
            record["model"],
            tuple(record["devices"]),
            record["device_memory_bytes"],
            tuple((profile, name) for profile, name in record["slices"]),
        )
        return Present(facts, record["generation"])

    def _made(self, body: NodeBody, others: Sequence[Record]) -> Record | Refused:
        """What the new node gets, beside what others have."""
        bodies = [from_plain(NodeBody, other["body"]) for other in others]
        cpu = (body.cpu or self._cpu) + sum(each.cpu or self._cpu for each in bodies)
        memory = (body.memory_bytes or self._memory_bytes) + sum(
            each.memory_bytes or self._memory_bytes for each in bodies
        )
        if cpu > self._cpu + 1e-6:
            return Refused(f"its slices come to {cpu:g} CPUs, and this machine has {self._cpu:g}")
        if memory > self._memory_bytes:
            return Refused(
                f"its slices come to {memory >> 20} MiB, and this machine has {self._memory_bytes >> 20} MiB"
            )
        taken = {name for other in others for name in [*other["devices"], *(name for _, name in other["slices"])]}
        given = self._found(body, taken) if body.detects else self._declared(body, taken)
        if isinstance(given, Refused):
            return given
        return {"body": to_plain(NodeBody, body), "began_at": self._now(), **given}

    def _whole(self, body: NodeBody, made: Record) -> NodeBody:
        return replace(
            body,
            cpu=body.cpu or self._cpu,
            memory_bytes=body.memory_bytes or self._memory_bytes,
            model=made["model"],
            devices=len(made["devices"]),
            device_memory_bytes=made["device_memory_bytes"],
            slices=tuple(Counter(profile for profile, _ in made["slices"]).items()),
        )

    def _declared(self, body: NodeBody, taken: set[str]) -> Record:
        free = (str(number) for number in range(10**6) if str(number) not in taken)
        slices = [(profile, f"{profile}/{number}") for profile, count in body.slices for number in range(count)]
        return {
            "model": body.model,
            "devices": [next(free) for _ in range(body.devices)],
            "device_memory_bytes": body.device_memory_bytes,
            "slices": slices,
        }

    def _found(self, body: NodeBody, taken: set[str]) -> Record | Refused:
        try:
            found = self._detect().devices
        except NvmlTrouble as e:
            return Refused(f"the NVIDIA driver does not say which devices there are: {e}")
        mine = [device for device in found if device.id not in taken and body.model in ("", device.model)]
        whole = [device for device in mine if not device.profile]
        slices = [(device.profile, device.id) for device in mine if device.profile]
        if len(whole) < body.devices or (not whole and not slices):
            named = body.model or "NVIDIA"
            return Refused(
                f"it is to have {body.devices or 'its'} {named} devices, and {len(whole)} are there and free"
            )
        given: list[Device] = whole[: body.devices] if body.devices else whole
        return {
            "model": given[0].model if given else mine[0].model,
            "devices": [device.id for device in given],
            "device_memory_bytes": given[0].memory_bytes if given else 0,
            "slices": slices,
        }

    def _change(self, id: ThingId, record: Record) -> None:
        self._write(id, record)
        self._remember(id, record)

    def _remember(self, id: ThingId, record: Record) -> None:
        for key, known in (("silent_until", self._cut), ("gone_at", self._going)):
            if record.get(key) is not None:
                known[str(id)] = record[key]

    def _path(self, id: ThingId) -> Path:
        return self._folder / f"{quote(str(id), safe='')}.json"

    def _write(self, id: ThingId, record: Record) -> None:
        path = self._path(id)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(record))
        new.replace(path)

    def _records(self) -> dict[ThingId, Record]:
        """Raises: EngineSilent."""
        return dict(self._read())

    def _read(self) -> Iterator[tuple[ThingId, Record]]:
        try:
            for path in sorted(self._folder.glob("*.json")):
                yield ThingId.parse(unquote(path.stem)), json.loads(path.read_text())
        except (OSError, ValueError) as e:
            raise EngineSilent(f"the nodes of this machine cannot be read: {e}") from e
