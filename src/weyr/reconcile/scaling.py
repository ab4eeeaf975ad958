"""How many replicas should each object have that asks for advice? What objects tell, put to the autoscaler.

Objects that share a quota are weighed together, every other one by itself. An object is heard at each of its looks;
advice is made anew every few seconds, and at once for one that is asked while it sleeps.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from weyr.core.decision import View, Want
from weyr.core.kind import AnyKind
from weyr.core.ref import Ref
from weyr.core.scaling import Advice, Demand, Measured, Quota, SharedBy
from weyr.reconcile.scaling_loads import load_of, reason_of
from weyr.reconcile.scaling_metrics import with_metric
from weyr.reconcile.work_learnt import WorkLearnt
from weyr.scheduling.scaling import Autoscaler

TICK_S = 2.0
"""Shorter ticks count little more than chance; longer ones are late."""
QUIET_TICK_S = 10.0
"""Where nothing came and nothing is under way: there may be a thousand of them."""
TICK_MAX_S = 60.0
HEARD_S = 1.0
"""For so long nobody gets more of a quota than it has: those who share it are still being heard for the first time."""
FORGOTTEN_S = 600.0
"""What was learnt so long ago is begun anew; shorter silences count as minutes of the same rate."""

LEARNING_S = 60.0
"""For so long nobody loses a replica who had some when first heard of, and of whom nothing was stored: a server that
was begun anew does not know yet what they are for."""

BACK_S = 60.0
"""A look may be told a time from before it had to wait for another's look; only what is further back is a clock that
was set."""

SAVE_S = 60.0
FIRST_SAVE_S = 10.0
"""How much of what was learnt a crash may cost; at first all are to have been heard."""


@dataclass(slots=True)
class _Group:
    """Those that are weighed together. `told` is what each counted when advice was made last, at `at`; `kept`, how many
    those keep that had some when first heard of, and until when; `taken`, what each has of the quota; `saved_at`, when
    it was stored last, and `busy_at`, when somebody asked last."""

    scaler: Autoscaler
    quota: Quota | None
    at: float
    demands: dict[Ref, Demand] = field(default_factory=dict)
    told: dict[Ref, Demand] = field(default_factory=dict)
    advice: dict[Ref, Advice] = field(default_factory=dict)
    kept: dict[Ref, tuple[int, float]] = field(default_factory=dict)
    taken: dict[Ref, int] = field(default_factory=dict)
    began_at: float = 0.0
    saved_at: float = 0.0
    busy_at: float = 0.0
    is_quiet: bool = False


@dataclass(slots=True)
class Scaling:
    """What is known of demand. `stored` is what an earlier process had learnt, by group, as JSON: it is taken up when
    the group is heard of. `measured` is what the replicas of some told last of themselves, as somebody reads it. A
    silence is told as ticks of `tick_max_s`, and after `forgotten_s` all is learnt anew: who looks seldom because
    nothing changes, says so."""

    stored: dict[str, str] = field(default_factory=dict)
    measured: Mapping[Ref, Measured] = field(default_factory=dict)
    tick_max_s: float = TICK_MAX_S
    forgotten_s: float = FORGOTTEN_S
    work: WorkLearnt = field(default_factory=WorkLearnt)
    _groups: dict[str, _Group] = field(default_factory=dict)
    _names: dict[Ref, str] = field(default_factory=dict)
    _save_at: float = 0.0

    def advised(self, kind: AnyKind, want: Want[Any], view: View[Any]) -> View[Any]:
        """The view with advice, for a kind that tells its demand. What planes count of work is noted of every kind."""
        self.note_work(want.ref, view)
        if kind.demand is None:
            return view
        return replace(view, advice=self.advice(want.ref, kind.demand(want, view), view.now))

    def note_work(self, ref: Ref, view: View[Any]) -> None:
        self.work.hear(ref, view.things, self.stored)

    def advice(self, ref: Ref, demand: Demand | None, now: float) -> Advice | None:
        """What an object that tells this should have. None where it has told nothing yet."""
        if demand is None:
            # Silence is no reason to change anything.
            return self.given(ref)
        demand = with_metric(demand, self.measured.get(ref), now)
        group = self._group(ref, demand, now)
        if ref not in group.demands and ref not in group.told:
            group.kept[ref] = demand.there, now + LEARNING_S
        group.demands[ref] = demand
        is_asleep = demand.there == 0
        if is_asleep and not (demand.queued or demand.in_flight or demand.quota or demand.least):
            group.told.pop(ref, None)
            group.advice[ref] = Advice(0, "nobody asks for it")
        elif ref not in group.advice or self._is_due(group, ref, demand, now) or (is_asleep and demand.queued):
            self._decide(group, now)
        return self._taken(group, ref, demand, now)

    def _taken(self, group: _Group, ref: Ref, demand: Demand, now: float) -> Advice:
        """What it may have at once: of a quota only what the others have let go of by now."""
        advice, quota = group.advice[ref], group.quota
        if quota is None:
            return advice
        others = sum(count for other, count in group.taken.items() if other != ref)
        room = demand.desired if now - group.began_at < HEARD_S else max(0, quota.replicas - others)
        group.taken[ref] = min(advice.replicas, room)
        return replace(advice, replicas=group.taken[ref])

    def given(self, ref: Ref) -> Advice | None:
        """What it was advised last, and why."""
        group = self._groups.get(self._names.get(ref, ""))
        advice = group.advice.get(ref) if group else None
        if group is None or advice is None or group.quota is None:
            return advice
        return replace(advice, replicas=group.taken.get(ref, advice.replicas))

    def forget(self, ref: Ref) -> None:
        self.work.forget(ref)
        group = self._groups.get(self._names.pop(ref, ""))
        if group is not None:
            for kept in (group.demands, group.told, group.advice, group.kept, group.taken):
                kept.pop(ref, None)
        self._groups = {name: group for name, group in self._groups.items() if group.demands}

    def unsaved(self, now: float) -> Iterator[tuple[str, str]]:
        """What was learnt since it was stored last, by group or object, as JSON; at most once a minute."""
        yield from self.work.unsaved(now)
        if self._save_at == 0.0 or self._save_at - now > SAVE_S:
            self._save_at = now + FIRST_SAVE_S
        if now < self._save_at:
            return
        self._save_at = now + SAVE_S
        for name, group in self._groups.items():
            is_news = not group.is_quiet or group.saved_at < group.busy_at + SAVE_S
            if group.advice and group.saved_at < group.at and (is_news or not group.saved_at):
                group.saved_at = group.at
                told = {ref.absolute: asdict(demand) for ref, demand in group.told.items()}
                yield name, json.dumps({"at": group.at, "scaler": group.scaler.state, "told": told})

    def _is_due(self, group: _Group, ref: Ref, demand: Demand, now: float) -> bool:
        is_quiet = group.is_quiet and not _is_busy(demand, group.told.get(ref))
        return now - group.at >= (QUIET_TICK_S if is_quiet else TICK_S)

    def _group(self, ref: Ref, demand: Demand, now: float) -> _Group:
        name = demand.quota.name if demand.quota else ref.absolute
        if self._names.get(ref, name) != name:
            self.forget(ref)
        self._names[ref] = name
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _restored(self.stored.pop(name, ""), demand.quota, now) or _fresh(
                demand.quota, now, {}
            )
        elif group.quota != demand.quota or now < group.at - BACK_S:
            # Other terms, or a clock that was set back: what is there is where advice begins.
            group = self._groups[name] = _fresh(demand.quota, now, group.demands)
        return group

    def _decide(self, group: _Group, now: float) -> None:
        if now <= group.at:
            # A second look in one moment: whoever is new is heard with the next one.
            for ref, demand in group.demands.items():
                group.advice.setdefault(ref, Advice(_as_it_is(demand), "it was not looked at before"))
            return
        if now - group.at > self.forgotten_s:
            group.scaler, group.at, group.told = _scaler(group.quota), now - TICK_S, {}
        quota = group.quota.replicas if group.quota else None
        targets = self._kept(group, self._targets(group, now, quota), now)
        for ref, demand in group.demands.items():
            why = reason_of(demand, targets[ref], group.scaler.why(ref.absolute), sum(targets.values()))
            group.advice[ref] = Advice(targets[ref], why)
        group.is_quiet = not any(_is_busy(demand, group.told.get(ref)) for ref, demand in group.demands.items())
        group.busy_at = group.busy_at if group.is_quiet else now
        group.told, group.at = dict(group.demands), now

    def _targets(self, group: _Group, now: float, quota: int | None) -> dict[Ref, int]:
        """One tick. After a silence of minutes it is told as several, so that its rhythm is not mistaken."""
        ticks = max(1, round((now - group.at) / self.tick_max_s))
        loads = [
            load_of(ref, demand, group.told.get(ref), now - group.at, ticks) for ref, demand in group.demands.items()
        ]
        targets: Mapping[str, int] = {}
        for tick in range(1, ticks + 1):
            targets = group.scaler.targets(loads, group.at + (now - group.at) * tick / ticks, quota)
        return {ref: targets[ref.absolute] for ref in group.demands}

    def _kept(self, group: _Group, targets: dict[Ref, int], now: float) -> dict[Ref, int]:
        """With what those keep of whom nothing is known yet, as far as the quota goes."""
        group.kept = {ref: each for ref, each in group.kept.items() if each[1] > now}
        there = {
            ref: min(count, group.demands[ref].there, group.demands[ref].replicas_max)
            for ref, (count, _) in group.kept.items()
        }
        kept = {ref: max(target, there.get(ref, 0)) for ref, target in targets.items()}
        is_too_much = group.quota is not None and sum(kept.values()) > group.quota.replicas
        return targets if is_too_much else kept


def _is_busy(demand: Demand, before: Demand | None) -> bool:
    return bool(
        demand.queued
        or demand.in_flight
        or before is None
        or demand.arrived != before.arrived
        or demand.metric_floor != before.metric_floor
    )


def _as_it_is(demand: Demand) -> int:
    return min(max(demand.there, demand.least), demand.replicas_max)


def _scaler(quota: Quota | None, state: Mapping[str, Any] | None = None) -> Autoscaler:
    is_by_value = quota is not None and quota.shared_by is SharedBy.VALUE
    return Autoscaler(share="value" if is_by_value else "fair", state=state)


def _fresh(quota: Quota | None, now: float, demands: dict[Ref, Demand]) -> _Group:
    kept = {ref: (demand.there, now + LEARNING_S) for ref, demand in demands.items()}
    taken = {ref: demand.desired for ref, demand in demands.items()}
    return _Group(_scaler(quota), quota, now - TICK_S, demands, kept=kept, taken=taken, began_at=now)


def _restored(text: str, quota: Quota | None, now: float) -> _Group | None:
    """The group as it was stored. None where that is too old, or unreadable, as after a change of what is learnt."""
    if not text:
        return None
    try:
        plain = json.loads(text)
        told = {Ref.parse(name): _demand(each) for name, each in plain["told"].items()}
        group = _Group(_scaler(quota, plain["scaler"]), quota, plain["at"], {}, told, began_at=now)
        group.taken = {ref: demand.desired for ref, demand in told.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return group if 0 < now - group.at <= FORGOTTEN_S else None


def _demand(plain: Mapping[str, Any]) -> Demand:
    return Demand(**{**plain, "quota": None})
