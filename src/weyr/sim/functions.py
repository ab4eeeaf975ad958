"""What would a functions plane say? Functions as plain values, with as much to do as a simulation gives them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from weyr.core.capability import Capability, FunctionBody, Refused, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import FunctionFacts, FunctionUse
from weyr.sim.clock import VirtualClock
from weyr.sim.faults import Faults
from weyr.sim.services import Asked
from weyr.sim.shelf import Shelf


class SimFunctions(Shelf):
    """The FUNCTIONS capability. `load` sets what a function has to do; `traffic` are callers of their own, by function,
    who go to hosts of which `is_ready` says that they are."""

    capability = Capability.FUNCTIONS
    holds = FunctionBody

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(clock, faults)
        self._load: dict[str, FunctionFacts] = {}
        self.traffic: dict[str, Asked] = {}
        self.is_ready: Callable[[ThingId], bool] = lambda _id: True
        self._uses: dict[str, FunctionUse] = {}

    def load(self, name: str, inflight: Mapping[str, int], waiting: int = 0, pending: int = 0) -> None:
        now = self._clock.now()
        self._load[name] = FunctionFacts(
            hosts=tuple(inflight.items()), waiting=waiting, pending=pending, last_used_at=now
        )

    def call(self, name: str, times: int = 1) -> None:
        """Somebody calls a function that is there."""
        use = self._uses[name]
        self._uses[name] = replace(use, invocations=use.invocations + times)

    def _keep(self, want: Wanted) -> None:
        super()._keep(want)
        self._uses.setdefault(_function(want).name, FunctionUse(self._clock.now()))

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | None:
        name = _function(want).name
        owner = next((id for id, other in self._wanted.items() if _function(other).name == name), want.id)
        return None if owner == want.id else Refused(f"the function {name} belongs to {owner}")

    def _let_go(self, id: ThingId) -> bool:
        name = _function(self._wanted[id]).name
        self._load.pop(name, None)
        use = self._uses.pop(name, None)
        if use is not None and use.invocations:
            self._last[id] = FunctionFacts(use=use)
        return True

    def _facts(self, want: Wanted) -> FunctionFacts:
        body = _function(want)
        load = self._asked(want.id, body) or self._load.get(body.name, FunctionFacts())
        busy = dict(load.hosts)
        listed = [host for host, _ in body.hosts]
        leaving = [host for host, count in busy.items() if count and host not in listed]
        hosts = tuple((host, busy.get(host, 0)) for host in (*listed, *leaving))
        address, use = f"/sim/{body.name}.sock", self._uses.get(body.name)
        return replace(load, generation=want.generation, address=address, hosts=hosts, use=use)

    def _asked(self, id: ThingId, body: FunctionBody) -> FunctionFacts | None:
        """What its own callers make of it; None where it has none."""
        if (traffic := self.traffic.get(body.name)) is None:
            return None
        ready = [host for host, _ in body.hosts if self.is_ready(ThingId(id.ref, host))]
        seen = traffic.seen(self._clock.now(), ready, "")
        return FunctionFacts(
            hosts=seen.replicas, waiting=seen.waiting, invocations=seen.requests, last_used_at=seen.last_request_at
        )


def _function(want: Wanted) -> FunctionBody:
    assert isinstance(want.body, FunctionBody)
    return want.body
