"""What do tasks run on, and who of them goes first? Nodes, the pools they belong to, and the queues that share them.

Pools and queues are named by their absolute refs, `team:pool/gpu`, so that several stacks can share one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from weyr.core.priorities import PriorityClass


class Market(StrEnum):
    """How a node is paid for. SPOT may be taken away at short notice; RESERVED is paid for used or not."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    RESERVED = "reserved"


@dataclass(frozen=True, slots=True)
class NodeWish:
    """What a node must have, wherever it is had: at least `cpu` cores and `memory_bytes`, and `devices` of a model; ""
    and 0 for none."""

    model: str
    devices: int
    cpu: float = 0.0
    memory_bytes: int = 0
    market: Market = Market.ON_DEMAND


@dataclass(frozen=True, slots=True)
class NodeBody:
    """One node of `pool`. `cpu` 0 and `memory_bytes` 0 mean all that the machine has.

    It has `devices` accelerators of one `model`, each with `device_memory_bytes` (0: nobody knows), and of those that
    are cut up `slices`: how many MIG instances of each profile. `detects` means that these are what the engine finds
    there, and that it refuses where it finds fewer than are declared. A task bears the taints that it names.
    `price_micros_per_hour` None: no price is known. `engine` names the cluster that it is a node of, "" for nodes that
    are made; of a cluster's node only `labels`, `taints` and price are said here, the rest is what is seen of it.
    """

    pool: str
    cpu: float = 0.0
    memory_bytes: int = 0
    model: str = ""
    devices: int = 0
    device_memory_bytes: int = 0
    slices: tuple[tuple[str, int], ...] = ()
    detects: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[str, ...] = ()
    market: Market = Market.ON_DEMAND
    price_micros_per_hour: int | None = None
    engine: str = ""
    of: Literal["node"] = "node"

    @property
    def is_left_to_the_machine(self) -> bool:
        """Whether what it has is not all written down, and no cluster tells it."""
        return not self.engine and (self.detects or not self.cpu or not self.memory_bytes)


@dataclass(frozen=True, slots=True)
class PoolBody:
    """A pool as the scheduler has to know it: what a new node would be, and how many there may be of them.

    `nodes_max` None: the engine has its own nodes and adds none.
    """

    node: NodeBody
    nodes_max: int | None = None
    of: Literal["pool"] = "pool"


class Reclaims(StrEnum):
    """From whom a queue takes back what it is guaranteed and has lent."""

    ANY = "any"
    LOWER_PRIORITY = "lower-priority"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class QueueBody:
    """A queue as the scheduler has to know it.

    Amounts are by resource: `cpu` in thousandths of a core, `memory` in bytes, `gpu` and `gpu/<model>` in thousandths
    of a device, `money` in millionths per hour. `guarantee` is what it gets whenever it wants it, `limit` what it never
    passes; what a limit does not name is not limited. `is_preemptible`: its tasks may be stopped for others.
    `priority_classes` are its own, beside those that every queue has. `reclaims` says from whom it takes back what it
    is guaranteed and has lent; `displaces`, whether what others have borrowed is taken for its tasks of higher priority
    though it is beyond its own guarantee.
    """

    guarantee: Mapping[str, int] = field(default_factory=dict)
    limit: Mapping[str, int] = field(default_factory=dict)
    user_limit: Mapping[str, int] = field(default_factory=dict)
    weight: float = 1.0
    is_preemptible: bool = True
    priority_classes: Mapping[str, PriorityClass] = field(default_factory=dict)
    reclaims: Reclaims = Reclaims.ANY
    displaces: bool = False
    of: Literal["queue"] = "queue"


class NodeState(StrEnum):
    """STARTING: asked for. READY: tasks may start there. DRAINING: it has notice, and nothing new starts there."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A node as seen. `began_at` is since when it is paid for (Unix seconds); `notice_at` when it was told to go.

    `cpu`, `memory_bytes`, `model` and `device_memory_bytes` are what it really has; `devices` what its accelerators are
    called there, and `slices` its MIG instances, each with its profile; `detail` is a sentence about what is amiss.
    Of a cluster's node they are what others leave of it to Weyr's tasks, and `labels` what the cluster says of it.
    """

    state: NodeState = NodeState.STARTING
    began_at: float = 0.0
    notice_at: float | None = None
    gone_at: float | None = None
    cpu: float = 0.0
    memory_bytes: int = 0
    model: str = ""
    devices: tuple[str, ...] = ()
    device_memory_bytes: int = 0
    slices: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    detail: str = ""
    of: Literal["node"] = "node"


@dataclass(frozen=True, slots=True)
class NodeUse:
    """What a node of a pool does: how many tasks are on it, and since when there are none (None: there are some).

    `free` is what is left of it, by resource as in `QueueBody`; below nothing where more runs there than it has.
    """

    node: str
    tasks: int = 0
    idle_since: float | None = None
    free: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A pool as the scheduler sees it. `lacking` is how many more nodes, as new as they come, what waits would fill;
    `nodes` are those it knows of, by their parts; `waiting` counts the tasks that wait for room on its nodes.
    `offered` are the nodes that a cluster has for it, None where nobody knows; `trouble` then says why."""

    lacking: int = 0
    waiting: int = 0
    nodes: tuple[NodeUse, ...] = ()
    offered: tuple[str, ...] | None = None
    trouble: str = ""
    of: Literal["pool"] = "pool"


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """A queue as the scheduler sees it: what its tasks use, and how many of them run and wait."""

    used: Mapping[str, int] = field(default_factory=dict)
    running: int = 0
    waiting: int = 0
    of: Literal["queue"] = "queue"
