"""How many replicas should each object have that asks for advice? What objects tell, put to the autoscaler.

Objects that share a quota are weighed together, every other one by itself. An object is heard at each of its looks;
advice is made anew every few seconds, and at once for one that is asked while it sleeps.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from weyr.core.decision import View, Want
from weyr.core.kind import AnyKind
from weyr.core.ref import Ref
from weyr.core.scaling import Advice, Demand, Quota, SharedBy
from weyr.scheduling.scaling import Autoscaler, Load

TICK_S = 2.0
"""Shorter ticks count little more than chance; longer ones are late."""

LEARNING_S = 60.0
"""For so long after the server's start nobody loses a replica: nothing is known yet of what they were for."""


@dataclass(slots=True)
class _Group:
    """Those that are weighed together. `told` is what each counted when advice was made last."""

    scaler: Autoscaler
    began_at: float
    quota: Quota | None
    at: float
    demands: dict[Ref, Demand] = field(default_factory=dict)
    told: dict[Ref, Demand] = field(default_factory=dict)
    advice: dict[Ref, Advice] = field(default_factory=dict)


@dataclass(slots=True)
class Scaling:
    """What is known of demand since this process began. It is lost with it: advice then begins with what is there."""

    _groups: dict[str, _Group] = field(default_factory=dict)
    _names: dict[Ref, str] = field(default_factory=dict)

    def advised(self, kind: AnyKind, want: Want[Any], view: View[Any]) -> View[Any]:
        """The view with advice, for a kind that tells its demand."""
        if kind.demand is None:
            return view
        return replace(view, advice=self.advice(want.ref, kind.demand(want, view), view.now))

    def advice(self, ref: Ref, demand: Demand | None, now: float) -> Advice | None:
        """What an object that tells this should have. None where it has told nothing yet."""
        if demand is None:
            # Silence is no reason to change anything.
            group = self._groups.get(self._names.get(ref, ""))
            return group.advice.get(ref) if group else None
        group = self._group(ref, demand, now)
        group.demands[ref] = demand
        is_asleep = demand.replicas + demand.starting == 0
        if is_asleep and not (demand.queued or demand.in_flight or demand.quota or demand.floor or demand.replicas_min):
            group.told.pop(ref, None)
            group.advice[ref] = Advice(0, "nobody asks for it")
        elif ref not in group.advice or now - group.at >= TICK_S or (is_asleep and demand.queued):
            self._decide(group, now)
        return group.advice[ref]

    def forget(self, ref: Ref) -> None:
        group = self._groups.get(self._names.pop(ref, ""))
        if group is not None:
            for kept in (group.demands, group.told, group.advice):
                kept.pop(ref, None)
        self._groups = {name: group for name, group in self._groups.items() if group.demands}

    def _group(self, ref: Ref, demand: Demand, now: float) -> _Group:
        name = demand.quota.name if demand.quota else ref.absolute
        if self._names.get(ref, name) != name:
            self.forget(ref)
        self._names[ref] = name
        group = self._groups.get(name)
        if group is None or group.quota != demand.quota or now < group.at:
            # Other terms, or a clock that was set back: what is there is where advice begins.
            share = demand.quota.shared_by if demand.quota else SharedBy.FAIRNESS
            scaler = Autoscaler(share="value" if share is SharedBy.VALUE else "fair")
            known = group.demands if group else {}
            group = self._groups[name] = _Group(scaler, now, demand.quota, now - TICK_S, known)
        return group

    def _decide(self, group: _Group, now: float) -> None:
        if now <= group.at:
            # A second look in one moment: whoever is new is heard with the next one.
            for ref, demand in group.demands.items():
                group.advice.setdefault(ref, Advice(_least(demand), "it was not looked at before"))
            return
        quota = group.quota.replicas if group.quota else None
        loads = [_load(ref, demand, group.told.get(ref)) for ref, demand in group.demands.items()]
        targets = group.scaler.targets(loads, now, quota)
        is_learning = now - group.began_at < LEARNING_S
        for ref, demand in group.demands.items():
            replicas, why = targets[ref.absolute], group.scaler.why(ref.absolute)
            if is_learning and quota is None:
                replicas = max(replicas, min(demand.replicas + demand.starting, demand.replicas_max))
            group.advice[ref] = Advice(replicas, why)
        group.told, group.at = dict(group.demands), now


def _least(demand: Demand) -> int:
    there = demand.replicas + demand.starting
    return min(max(there, demand.replicas_min, demand.floor), demand.replicas_max)


def _load(ref: Ref, demand: Demand, before: Demand | None) -> Load:
    ended, worked_s = _grown(demand, before)
    return Load(
        ref.absolute,
        queued=demand.queued,
        in_flight=demand.in_flight,
        ended=ended,
        latency_s=worked_s / ended if ended else None,
        replicas=demand.replicas,
        starting=demand.starting,
        concurrency=demand.concurrency,
        latency_target_s=demand.latency_target_s,
        start_s=demand.start_s or None,
        replicas_min=demand.replicas_min,
        replicas_max=demand.replicas_max,
        floor=demand.floor,
        idle_after_s=demand.idle_after_s,
        weight=demand.weight,
    )


def _grown(demand: Demand, before: Demand | None) -> tuple[int, float]:
    """What ended since, and what it took; a plane that was restarted counts from 0."""
    if before is None:
        return 0, 0.0
    if demand.ended < before.ended:
        return demand.ended, demand.worked_s
    return demand.ended - before.ended, max(0.0, demand.worked_s - before.worked_s)
