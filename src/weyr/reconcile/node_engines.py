"""Whose is a node? This machine makes its own, a cluster has some; a Provider over all of them.

A pool says of which engine its nodes are, and the stack of the pool says which cluster that is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from weyr.core.capability import Answers, Capability, Provider, Wanted
from weyr.core.diagnostic import EngineSilent, UserError
from weyr.core.pools import NodeBody
from weyr.core.ref import ThingId
from weyr.core.seen import Seen
from weyr.reconcile import shares
from weyr.store.kernel import ThingRow


class Offers(Provider, Protocol):
    """A cluster's nodes, which are there without us."""

    def offered(self, pool: str, labels: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """The nodes with all of these labels that are in no other pool. Raises: EngineSilent."""
        ...


class NodeEngines:
    """The NODES capability of all engines together.

    Takes this machine's nodes; `cluster`, which gives those of an engine by its name, as the stack of that name has it,
    and raises UserError where it has none; and the things that the store knows.
    """

    capability = Capability.NODES

    def __init__(self, here: Provider, cluster: Callable[[str, str], Offers], known: Iterable[ThingRow] = ()) -> None:
        self._here, self._cluster = here, cluster
        self._of = {row.id: row.body.engine for row in known if isinstance(row.body, NodeBody)}
        self._used: dict[tuple[str, str], Offers] = {}

    def offered(self, body: NodeBody, stack: str) -> tuple[str, ...]:
        """The nodes that there are for a pool like this, by name. Raises: EngineSilent."""
        try:
            return self._offers(stack, body.engine).offered(body.pool, body.labels)
        except UserError as e:
            raise EngineSilent(e.diagnostics[0].detail) from e

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """As `Provider.observe`. A cluster that is silent harms no other."""
        return shares.observe(self._shared(ids), self._engine)

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        for want in wanted:
            assert isinstance(want.body, NodeBody), f"{want.id} is no node"
            self._of[want.id] = want.body.engine
        return shares.ensure(self._shared([want.id for want in wanted]), self._engine, wanted)

    def release(self, ids: Sequence[ThingId]) -> Answers:
        return shares.release(self._shared(ids), self._engine)

    def inventory(self) -> Sequence[ThingId]:
        """As `Provider.inventory`, of this machine and of the clusters that were asked for."""
        return list(dict.fromkeys(id for each in (self._here, *self._used.values()) for id in each.inventory()))

    def _shared(self, ids: Iterable[ThingId]) -> dict[tuple[str, str], list[ThingId]]:
        """By engine, and by the stack that says which one that is."""
        found: dict[tuple[str, str], list[ThingId]] = {}
        for id in ids:
            engine = self._of.get(id, "")
            found.setdefault((id.ref.stack if engine else "", engine), []).append(id)
        return found

    def _engine(self, where: tuple[str, str]) -> Provider:
        """Raises: UserError."""
        stack, engine = where
        return self._offers(stack, engine) if engine else self._here

    def _offers(self, stack: str, engine: str) -> Offers:
        """Raises: UserError."""
        found = self._used[stack, engine] = self._cluster(stack, engine)
        return found
