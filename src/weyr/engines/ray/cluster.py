"""Which nodes has the cluster, and what is left of them for us? What the head says, as pools know nodes. Pure.

A node counts for what others leave of it: what Ray has given away there, less what our own tasks asked for.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from weyr.attempt.cluster_nodes import ClusterNode
from weyr.core.pools import NodeFacts, NodeState

MODEL = "accelerator_type:"
"""Ray's resource of nodes with devices of a model."""


class RayNode(TypedDict):
    """One that is alive, as the envoy tells of it. `available` None: the head does not know yet."""

    id: str
    name: str
    resources: dict[str, float]
    available: dict[str, float] | None
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What our own tasks on a node asked for."""

    cpu: float = 0.0
    memory_bytes: int = 0
    devices: float = 0.0

    def __add__(self, other: "Asked") -> "Asked":
        return Asked(self.cpu + other.cpu, self.memory_bytes + other.memory_bytes, self.devices + other.devices)


def cluster_nodes(nodes: Sequence[RayNode], ours: Mapping[str, Asked]) -> dict[str, ClusterNode]:
    """By name, those that take work; `ours` is by Ray's id of the node."""
    workers = [node for node in nodes if node["resources"].get("CPU")]
    names = named(workers)
    return {names[node["id"]]: _node(node, ours.get(node["id"], Asked())) for node in workers}


def named(nodes: Iterable[RayNode]) -> dict[str, str]:
    """Names by id. Several nodes of one machine have one name, and are told apart by their ids."""
    nodes = list(nodes)
    names = [node["name"] for node in nodes]
    return {
        node["id"]: node["name"] if names.count(node["name"]) == 1 else f"{node['name']}-{node['id'][:6]}"
        for node in nodes
    }


def _node(node: RayNode, ours: Asked) -> ClusterNode:
    total, available = node["resources"], node["available"]

    def left(resource: str, asked: float) -> float:
        has = total.get(resource, 0.0)
        given = 0.0 if available is None else has - available.get(resource, 0.0)
        return max(has - max(given - asked, 0.0), 0.0)

    model = next((name.removeprefix(MODEL) for name in sorted(total) if name.startswith(MODEL)), "")
    labels = {name: value for name, value in node["labels"].items() if name != "ray.io/node-id"}
    facts = NodeFacts(
        NodeState.READY,
        cpu=round(left("CPU", ours.cpu), 3),
        memory_bytes=int(left("memory", ours.memory_bytes)),
        model=model,
        devices=tuple(str(number) for number in range(math.floor(left("GPU", ours.devices) + 1e-6))),
        labels=tuple(sorted((labels | ({"gpu": model} if model else {})).items())),
    )
    return ClusterNode(facts, identity=node["id"])
