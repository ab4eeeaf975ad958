"""Which replicas does one version have, and who of them is next? One share of an endpoint, with its own counts."""

from weyr.core.routes import RouteVersion
from weyr.gateway.inference.choice import VERSION_HEADER
from weyr.gateway.inference.counts import Counts
from weyr.gateway.inference.replica import Address, Replica


class Version:
    """One version of an endpoint. Its replicas keep their connections for as long as they stay in it."""

    __slots__ = ("connect_s", "counts", "per_replica", "replicas", "says", "told")

    def __init__(self, told: RouteVersion, counts: Counts) -> None:
        self.told = told
        self.counts = counts
        self.per_replica = 0
        self.connect_s = 2.0
        self.replicas: list[Replica] = []
        self.says = VERSION_HEADER + f": {told.name}\r\n".encode()
        self.apply(told)

    def apply(self, told: RouteVersion) -> list[Replica]:
        """Takes the version as it is now. Gives the replicas that it no longer has."""
        known = {replica.address: replica for replica in self.replicas}
        self.told = told
        addresses = [Address(id, socket) for id, socket in told.replicas]
        self.replicas = [known.pop(address) if address in known else Replica(address, self) for address in addresses]
        return list(known.values())

    def pick(self, now: float) -> Replica | None:
        """The replica with the fewest requests under way, None where all are down or full, or there is none."""
        best: Replica | None = None
        for replica in self.replicas:
            if (best is None or replica.inflight < best.inflight) and replica.down_until <= now:
                best = replica
        if best is not None and self.per_replica and best.inflight >= self.per_replica:
            return None
        return best
