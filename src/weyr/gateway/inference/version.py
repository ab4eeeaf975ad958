"""Which replicas does one version have, and who of them is next? One share of an endpoint, with its own counts."""

from weyr.core.routes import Balance, RouteVersion
from weyr.gateway.inference.asked import Asked
from weyr.gateway.inference.choice import VERSION_HEADER
from weyr.gateway.inference.counts import Counts
from weyr.gateway.inference.keeper import Keeper
from weyr.gateway.inference.replica import Address, Replica


class Version:
    """One version of an endpoint. Its replicas keep their connections for as long as they stay in it."""

    __slots__ = ("connect_s", "counts", "keeper", "per_replica", "replicas", "says", "slots", "told")

    def __init__(self, told: RouteVersion, counts: Counts, balance: Balance) -> None:
        self.told = told
        self.counts = counts
        self.per_replica = self.slots = 0
        self.connect_s = 2.0
        self.replicas: list[Replica] = []
        self.says = VERSION_HEADER + f": {told.name}\r\n".encode()
        self.keeper: Keeper | None = None
        self.apply(told, balance)

    def apply(self, told: RouteVersion, balance: Balance) -> list[Replica]:
        """Takes the version as it is now. Gives the replicas that it no longer has."""
        known = {replica.address: replica for replica in self.replicas}
        self.told = told
        addresses = [Address(id, socket) for id, socket in told.replicas]
        self.replicas = [known.pop(address) if address in known else Replica(address, self) for address in addresses]
        self.keeper = Keeper(balance, self.replicas) if balance.by != "least" and len(addresses) > 1 else None
        return list(known.values())

    def pick(self, now: float, asked: Asked) -> Replica | None:
        """Whoever has the request's prompt or session, else the replica with the fewest requests under way; None where
        all are down or full, or there is none."""
        if self.keeper is not None and (kept := self.keeper.pick(now, asked, self.per_replica)):
            return kept
        best: Replica | None = None
        for replica in self.replicas:
            if (best is None or replica.inflight < best.inflight) and replica.down_until <= now:
                best = replica
        if best is not None and self.per_replica and best.inflight >= self.per_replica:
            return None
        return best
