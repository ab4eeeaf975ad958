"""What a node has, what a request needs, and the two answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DEVICE_MILLI = 1000
"""One whole device. A share is so many thousandths of it."""


@dataclass(frozen=True, slots=True)
class Node:
    """What there is on one node.

    `devices` whole accelerators of one `model`, numbered from 0, each with `device_memory_mib` (0: not told). `slices`
    counts the MIG instances of each profile, of devices that are cut up and not among `devices`. A request goes to a
    node with `taints` only if it tolerates them all.
    """

    name: str
    cpu_milli: int
    memory_mib: int
    devices: int = 0
    model: str = ""
    device_memory_mib: int = 0
    slices: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not all(amount >= 0 for amount in (self.cpu_milli, self.memory_mib, self.devices, self.device_memory_mib)):
            raise ValueError(f"a node cannot have less than nothing: {self}")


@dataclass(frozen=True, slots=True)
class Request:
    """What a task needs, at most one of: `devices` whole accelerators; `share_milli` (1 to 999) of one;
    `share_memory_mib` of one device's memory; one MIG instance of `profile`.

    `models` are those it can use, none for any. `labels` must all be the node's.
    """

    cpu_milli: int = 0
    memory_mib: int = 0
    devices: int = 0
    share_milli: int = 0
    share_memory_mib: int = 0
    profile: str = ""
    models: frozenset[str] = frozenset()
    labels: frozenset[tuple[str, str]] = frozenset()
    tolerates: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        amounts = (self.cpu_milli, self.memory_mib, self.devices, self.share_milli, self.share_memory_mib)
        if not all(amount >= 0 for amount in amounts):
            raise ValueError(f"a request cannot be for less than nothing: {self}")
        if (self.devices > 0) + (self.share_milli > 0) + (self.share_memory_mib > 0) + bool(self.profile) > 1:
            raise ValueError(f"a request is for whole devices, a share, a part of the memory or a profile: {self}")
        if self.devices != int(self.devices) or self.share_milli != int(self.share_milli):
            raise ValueError(f"devices are counted, and a share is in whole thousandths of one: {self}")
        if any(type(names) is not frozenset for names in (self.models, self.tolerates)):
            raise ValueError(f"models and what is tolerated are each a frozenset of names: {self}")
        if self.share_milli >= DEVICE_MILLI:
            raise ValueError(f"a share is below {DEVICE_MILLI} thousandths; a whole device is `devices=1`: {self}")

    @property
    def wants_device(self) -> bool:
        """Whether it is for devices, whole or in part, and not only for CPU, memory or a MIG instance."""
        return bool(self.devices or self.share_milli or self.share_memory_mib)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a request went.

    `devices` are numbers of whole devices, or the one that is shared; `share_milli` is what is taken of that one, 0
    where they are whole. `slices` are the MIG instances: profile and number.
    """

    request: Request
    node: str
    devices: tuple[int, ...] = ()
    share_milli: int = 0
    slices: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """No node has room for `request`. Ask `Cluster.lacks` what each of them lacked."""

    request: Request
