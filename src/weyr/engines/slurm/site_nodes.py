"""Which nodes has the cluster, and what is left of them for us? What sinfo said, as pools know nodes. Pure.

A node counts for what others leave of it: what Slurm has given away there, less what it gave to our own tasks.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from weyr.attempt.cluster_nodes import ClusterNode
from weyr.core.pools import NodeFacts, NodeState

SINFO_FORMAT = ",".join(
    f"{field}:|"
    for field in (
        "NodeList",
        "Partition",
        "StateComplete",
        "CPUsState",
        "Memory",
        "AllocMem",
        "Gres",
        "GresUsed",
        "features_act",
        "Reason",
    )
)
"""For `sinfo --Node -O`: a row for each node and partition. The reason is free text, and comes last."""
TAKES = frozenset({"idle", "mixed", "allocated", "completing", "cloud", "powered_up", "planned"})
"""The words of a state that keep nobody out; a node with any other one takes nothing new."""
GRES = re.compile(r"gpu:(?:(?P<type>[^:(),]+):)?(?P<count>\d+)(?:\([^)]*\))?")
PROFILE = re.compile(r"\d+g\.\d+gb.*")


@dataclass(frozen=True, slots=True)
class SiteNode:
    """A row of sinfo. `gpus` and `gpus_given` count devices by type, "" where the site names none."""

    name: str
    partition: str
    is_default: bool
    state: frozenset[str]
    cpus: int
    cpus_given: int
    memory_mib: int
    memory_given_mib: int
    gpus: Mapping[str, int]
    gpus_given: Mapping[str, int]
    features: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """What our own tasks on a node asked for. What Slurm rounded up for them counts as given to others: it is not to be
    had either."""

    cpu: float = 0.0
    memory_bytes: int = 0
    devices: int = 0

    def __add__(self, other: "Given") -> "Given":
        return Given(self.cpu + other.cpu, self.memory_bytes + other.memory_bytes, self.devices + other.devices)


def nodes_of(text: str) -> list[SiteNode]:
    """What sinfo printed. Raises: ValueError where it is not in our format."""
    return [_row(line) for line in text.splitlines() if line.strip()]


def cluster_nodes(rows: Iterable[SiteNode], partition: str, ours: Mapping[str, Given]) -> dict[str, ClusterNode]:
    """Those of a partition, the site's default one for "". `ours` is by node."""
    mine = (row for row in rows if (row.partition == partition if partition else row.is_default))
    return {row.name: _node(row, ours.get(row.name, Given())) for row in mine}


def _row(line: str) -> SiteNode:
    fields = line.split("|", 9)
    if len(fields) != 10:
        raise ValueError(f"sinfo printed {line[:200]!r}, which is not what it was asked for")
    name, partition, state, cpus, memory, memory_given, gres, gres_used, features, reason = map(str.strip, fields)
    given, _idle, _other, total = (int(count) for count in cpus.split("/"))
    said = reason.rstrip("|").strip()
    return SiteNode(
        name,
        partition.rstrip("*"),
        partition.endswith("*"),
        frozenset(state.lower().split("+")),
        total,
        given,
        int(memory),
        int(memory_given),
        _gpus(gres),
        _gpus(gres_used),
        () if features in ("(null)", "") else tuple(features.split(",")),
        "" if said.lower() in ("none", "(null)") else said,
    )


def _gpus(gres: str) -> dict[str, int]:
    """`gpu:a100:4(S:0-1),shard:8` → `{"a100": 4}`."""
    found: dict[str, int] = {}
    for match in GRES.finditer(gres):
        kind = match["type"] or ""
        found[kind] = found.get(kind, 0) + int(match["count"])
    return found


def _node(row: SiteNode, ours: Given) -> ClusterNode:
    whole = {kind: count for kind, count in row.gpus.items() if not PROFILE.fullmatch(kind)}
    model = max(sorted(whole), key=lambda kind: whole[kind], default="")
    others_gpus = max(sum(row.gpus_given.values()) - ours.devices, 0)
    free = max(whole.get(model, 0) - others_gpus, 0)
    slices = [
        (kind, f"{kind}/{n}") for kind, count in sorted(row.gpus.items()) if kind not in whole for n in range(count)
    ]
    facts = NodeFacts(
        NodeState.READY if row.state <= TAKES else NodeState.DRAINING,
        cpu=max(row.cpus - max(row.cpus_given - ours.cpu, 0.0), 0.0),
        memory_bytes=(row.memory_mib << 20) - max((row.memory_given_mib << 20) - ours.memory_bytes, 0),
        model=model,
        devices=tuple(str(number) for number in range(free)),
        slices=tuple(slices),
        labels=_labels(row, model),
        detail=_detail(row),
    )
    lost = f"slurmctld has not heard from it{_because(row.reason)}" if "not_responding" in row.state else ""
    return ClusterNode(facts, lost=lost)


def _labels(row: SiteNode, model: str) -> tuple[tuple[str, str], ...]:
    """Features are labels that say yes."""
    labels = dict.fromkeys(row.features, "yes") | {"partition": row.partition}
    return tuple(sorted((labels | ({"gpu": model} if model else {})).items()))


def _detail(row: SiteNode) -> str:
    closing = sorted(row.state - TAKES)
    return f"Slurm says that it is {' and '.join(closing)}{_because(row.reason)}" if closing else ""


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
