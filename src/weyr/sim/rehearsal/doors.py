"""Who comes to endpoints, services and functions, and who is told of it? Their doors, each with its queue.

The simulated planes ask a queue what they would have counted; bells ring for whom nobody is there, and for what a look
could matter to.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf
from typing import Any

from weyr.core.ref import Ref
from weyr.core.scale_fields import Scale
from weyr.sim.chance import chance_of
from weyr.sim.engine import SimEngine
from weyr.sim.rehearsal.arrivals import Burst
from weyr.sim.rehearsal.bells import Bells
from weyr.sim.rehearsal.each import EachRequest, Request
from weyr.sim.rehearsal.many import ManyRequests
from weyr.sim.rehearsal.served import Queue, Terms
from weyr.sim.rehearsal.setting import Setting
from weyr.stack.stack import Stack

EACH_MAX = 10_000
"""An endpoint's requests are followed one by one up to so many."""
HOLD_S = 30.0
"""For a service whose kind has no word for it."""


class Doors:
    """`stir` tells an object that something happened to it."""

    def __init__(
        self, stack: Stack, setting: Setting, engine: SimEngine, bells: Bells, stir: Callable[[Ref], None]
    ) -> None:
        self.stack, self.setting, self.engine, self.bells, self.stir = stack, setting, engine, bells, stir
        self.queues: dict[str, Queue] = {}
        self._sizes: dict[str, float] = {}
        """How many bytes an answer of one takes elsewhere, on average; who sends none is not in it."""
        self._sent: dict[str, int] = {}
        engine.functions.is_ready = engine.tasks.answers

    def open(self, name: str, bursts: Sequence[Burst]) -> None:
        """The door of one (`kind/name`), with whoever comes to it."""
        kind, _, short = name.partition("/")
        ref = Ref(self.stack.name, kind, short)
        terms, began = terms_of(ref, self.stack.objects[ref].spec), self.setting.began_at
        if sum(burst.count for burst in bursts) <= EACH_MAX:
            queue: Queue = EachRequest.of(terms, list(self._coming(name, bursts)))
        else:
            queue = ManyRequests(terms, bursts, began)
            if all(burst.takes_s == self.setting.takes_of.get(name) for burst in bursts):
                queue.spread = self.setting.spread_of.get(name)
        queue.served.way_s = self.setting.way_s
        if isinstance(queue, ManyRequests):
            queue.served.way_s += max((burst.told_within_s for burst in bursts), default=0.0) / 2
        if size_bytes := sum(burst.count * burst.size_bytes for burst in bursts):
            self._sizes[name] = size_bytes / sum(burst.count for burst in bursts)
        self.queues[name] = queue
        plane = self.engine.functions.traffic if kind == "function" else self.engine.routes.traffic
        plane[f"{self.stack.name}/{short}"] = queue
        queue.on_closed.append(partial(self._wait_for_one, name, ref))
        self._wait_for_one(name, ref)

    def _coming(self, name: str, bursts: Sequence[Burst]) -> Iterator[Request]:
        chance, takes = chance_of(self.setting.seed, f"requests/{name}"), self._takes(name)
        told = chance_of(self.setting.seed, f"told/{name}")
        for burst in bursts:
            for at_s in _spread(burst, chance):
                way_s = told.random() * burst.told_within_s if burst.told_within_s else 0.0
                yield self.setting.began_at + at_s + way_s, takes(burst), way_s

    def _takes(self, name: str) -> Callable[[Burst], float]:
        """How long one works: what was said, or as unlike as was measured where it takes what was measured."""
        spread, usual_s = self.setting.spread_of.get(name), self.setting.takes_of.get(name)
        if spread is None or usual_s is None:
            return lambda burst: burst.takes_s
        chance = chance_of(self.setting.seed, f"takes/{name}")
        return lambda burst: burst.takes_s * (spread.factor(chance) if burst.takes_s == usual_s else 1.0)

    def look(self, now: float) -> None:
        """Once a minute: whoever is to look, as a look could matter."""
        for name, queue in self.queues.items():
            if queue.wants(now):
                kind, _, short = name.partition("/")
                self.stir(Ref(self.stack.name, kind, short))

    @property
    def is_sending(self) -> bool:
        """Whether any answer goes elsewhere."""
        return bool(self._sizes)

    def send(self) -> list[Ref]:
        """Tells the plane what answers took elsewhere since the last time; gives whose."""
        told = []
        for name, size_bytes in self._sizes.items():
            kind, _, short = name.partition("/")
            ref, sent = Ref(self.stack.name, kind, short), int(self.queues[name].served.answered * size_bytes)
            more = sent - self._sent.get(name, 0)
            if more and self.engine.routes.is_there(f"{ref.stack}/{short}"):
                self.engine.routes.ask(f"{ref.stack}/{short}", far_bytes=more)
                self._sent[name] = sent
                told.append(ref)
        return told

    def finish(self, now: float) -> None:
        for queue in self.queues.values():
            queue.finish(now)

    def _wait_for_one(self, name: str, ref: Ref) -> None:
        """Nobody is there for whoever comes: the plane rings when somebody does."""
        at = self.queues[name].next_look(self.engine.clock.now())
        if at < self.setting.began_at + self.setting.length_s:
            self.bells.at(at, partial(self._ring, name, ref))

    def _ring(self, name: str, ref: Ref) -> None:
        if not self.queues[name].is_open:
            self.stir(ref)
            self._wait_for_one(name, ref)


def terms_of(ref: Ref, spec: Any) -> Terms:
    """What holds for the requests of one. A function's host has so many instances, and more wait before it."""
    scale = spec.scale
    if ref.kind == "function":
        room, least = scale.max * scale.concurrency, min(1, scale.warm)
        return Terms(room, spec.hold, None, scale.idle_after, least, is_capped=True)
    if scale is None:
        # A service that does not scale has as many as it says, each of which works on as many as a scaled one would.
        return Terms(Scale().target_inflight, spec.hold, None, inf, spec.replicas)
    cap = getattr(getattr(spec, "waiting", None), "per_replica", None)
    room = min(scale.target_inflight, cap or scale.target_inflight)
    hold_s = getattr(spec, "hold", HOLD_S)
    return Terms(room, hold_s, scale.slo, scale.idle_after, scale.min, is_capped=cap is not None)


def _spread(burst: Burst, chance: random.Random) -> list[float]:
    """The moments of a burst's requests."""
    if not burst.over_s:
        return [burst.at_s] * round(burst.count)
    return [burst.at_s + chance.random() * burst.over_s for _ in range(round(burst.count))]
