"""How do our values look as JSON? One function per noun; field names are the API's."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from weyr.core.amounts import amount_text
from weyr.core.audit import AuditEvent
from weyr.core.decision import ConditionType, Phase
from weyr.core.plain import plain_of
from weyr.core.pools import NodeFacts, NodeUse, PoolFacts, QueueFacts
from weyr.core.ref import Ref
from weyr.core.scaling import Advice
from weyr.core.seen import Absent, Present, RouteFacts, TaskFacts, Unknown
from weyr.reconcile.scheduler.why import Waits
from weyr.reconcile.world import World
from weyr.store.kernel import EventRow, StackRow, ThingRow
from weyr.tracking.overview import RunDetail, RunSummary


def object_json(world: World, ref: Ref, costs: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Takes `costs`: absolute ref → (micro-units so far, micro-units per hour now)."""
    row = world.objects[ref]
    micros, rate = costs.get(ref.absolute, (0, 0))
    return {
        "ref": str(ref),
        "stack": ref.stack,
        "kind": ref.kind,
        "name": ref.name,
        "phase": world.phase(ref).value,
        "generation": row.generation,
        "conditions": [
            {"type": c.type.value, "status": c.status, "reason": c.reason, "message": c.message}
            for c in row.status.conditions
        ],
        "outputs": dict(row.status.outputs),
        "needs": [str(need) for need in row.needs],
        "drifted": any(c.type is ConditionType.DRIFTED and c.status for c in row.status.conditions),
        "things": _things_json(world.things.get(ref, {})),
        "cost_micros": micros,
        "rate_micros_per_hour": rate,
        "updated_at": row.changed_at,
    }


def _things_json(things: Mapping[str, ThingRow]) -> list[dict[str, Any]]:
    """A pool's nodes with what is left of each, which only the pool knows."""
    uses: dict[str, NodeUse] = {}
    for thing in things.values():
        if isinstance(thing.seen, Present) and isinstance(thing.seen.facts, PoolFacts):
            uses |= {use.node: use for use in thing.seen.facts.nodes}
    return [thing_json(thing, uses.get(part)) for part, thing in things.items()]


def thing_json(thing: ThingRow, use: NodeUse | None = None) -> dict[str, Any]:
    """Takes `use`, of a node: what of it is used, as its pool saw it last."""
    view: dict[str, Any] = {
        "id": str(thing.id),
        "part": thing.id.part,
        "capability": thing.capability.value,
        "generation": thing.generation,
        "is_released": thing.is_released,
        "refusal": thing.refusal,
    }
    match thing.seen:
        case Present(facts=TaskFacts() as facts):
            view |= {
                "state": facts.state.value,
                "started_at": facts.started_at,
                "ended_at": facts.ended_at,
                "end": facts.end.reason.value if facts.end else None,
                "restored": facts.restored,
                "saved": facts.saved,
            }
        case Present(facts=NodeFacts() as node):
            view |= {"state": node.state.value, "started_at": node.began_at, "devices": list(node.devices)}
            view |= {"has": _amounts_json(_has(node)), "detail": node.detail}
            view |= {"free": _amounts_json(use.free), "tasks": use.tasks} if use else {}
        case Present(facts=PoolFacts() as pool):
            view |= {"state": "present", "lacking": pool.lacking, "waiting": pool.waiting}
        case Present(facts=QueueFacts() as queue):
            used = {name: amount_text(name, amount) for name, amount in queue.used.items()}
            view |= {"state": "present", "used": used, "running": queue.running, "waiting": queue.waiting}
        case Present(facts=RouteFacts() as route):
            view |= {"state": "present", "requests": route.requests, "errors": route.errors}
            view["versions"] = [plain_of(counts) for counts in route.versions]
        case Present():
            view["state"] = "present"
        case Absent():
            view["state"] = "absent"
        case Unknown(reason=reason):
            view |= {"state": "unknown", "why": reason}
    return view


def _has(node: NodeFacts) -> dict[str, int]:
    """What a node has, as queues count it."""
    devices = {"gpu": 1000 * len(node.devices)} if node.devices else {}
    return {"cpu": round(node.cpu * 1000), "memory": node.memory_bytes} | devices


def _amounts_json(amounts: Mapping[str, int]) -> dict[str, str]:
    return {name: amount_text(name, amount) for name, amount in amounts.items()}


def why_json(ref: Ref, phase: Phase, said: str, waits: Sequence[Waits], advice: Advice | None = None) -> dict[str, Any]:
    """`said` is the sentence of the object's condition, for what does not wait for the scheduler; `advice`, how many
    replicas it should have."""
    sentence = " ".join(dict.fromkeys(each.sentence for each in waits))
    return {
        "ref": str(ref),
        "stack": ref.stack,
        "phase": phase.value,
        "sentence": sentence or f"{ref} is {phase.value}" + (f": {said}" if said else "") + ".",
        "scaling": {"replicas": advice.replicas, "why": advice.why} if advice else None,
        "waits": [
            {
                "tasks": [str(id) for id in each.tasks],
                "sentence": each.sentence,
                "nodes": [{"node": node, "lacks": lacks} for node, lacks in each.nodes],
                "ahead": each.ahead,
                "starts_at": each.starts_at,
            }
            for each in waits
        ],
    }


def stack_json(world: World, row: StackRow) -> dict[str, Any]:
    refs = world.of_stack(row.name)
    return {
        "name": row.name,
        "plan": row.plan_id,
        "file": row.file,
        "price_as": row.price_as,
        "is_removing": row.is_removing,
        "applied_at": row.applied_at,
        "objects": len(refs),
        "phases": {str(ref): world.phase(ref).value for ref in refs},
    }


def event_json(event: EventRow) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": event.at,
        "stack": event.stack,
        "ref": event.ref,
        "plan": event.plan,
        "event": event.event,
        "message": event.message,
    }


def _number(value: float) -> float | str:
    """JSON has no word for what a loss may come to; these are MLflow's."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def run_json(run: RunSummary) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "experiment": run.experiment,
        "name": run.name,
        "status": run.status.value,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "metrics": {name: _number(value) for name, value in run.metrics},
        "params": dict(run.params),
    }


def run_detail_json(detail: RunDetail) -> dict[str, Any]:
    """`history` maps each metric to [step, value, at] triples; a value that is no finite number is no point."""
    history = {
        name: [[p.step, p.value, p.at] for p in points if math.isfinite(p.value)] for name, points in detail.history
    }
    return {**run_json(detail.summary), "history": history}


def audit_json(event: AuditEvent) -> dict[str, Any]:
    return {
        "at": event.at,
        "process": event.process,
        "principal": event.principal,
        "action": event.action,
        "resource": event.resource,
        "allowed": event.is_allowed,
        "reason": event.reason,
    }
