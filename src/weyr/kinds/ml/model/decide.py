"""What should happen to a model next? Pure.

The model is registered at once, so that jobs can add versions. The alias moves to the newest version that
passes the gate, and stays there when a later one fails.
"""

from dataclasses import replace
from typing import assert_never

from weyr.core.capability import Capability, ModelBody
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Note, Release, Scalar, Thing, View, Want
from weyr.core.seen import Absent, ModelFacts, Present, Unknown
from weyr.kinds.ml.model.memory import ModelMemory
from weyr.kinds.ml.model.promote import METRICS_LOOK_S, is_waiting, promoted
from weyr.kinds.ml.model.spec import ModelSpec

MODEL = ""


def decide(want: Want[ModelSpec], view: View[ModelMemory]) -> Decision[ModelMemory]:
    """Registers the model, judges what is new, and moves the alias to what passes."""
    decision = _decided(want, view)
    if want.spec is None or not want.spec.only_data or not decision.outputs:
        return decision
    return replace(decision, outputs={**decision.outputs, "only_data": True})


def _decided(want: Want[ModelSpec], view: View[ModelMemory]) -> Decision[ModelMemory]:
    thing = view.things.get(MODEL)
    if want.spec is None:
        return _remove(thing, view.memory)
    name = want.spec.name or f"{want.ref.stack}-{want.ref.name}"
    memory = view.memory or ModelMemory()
    match thing.seen if thing else Absent():
        case Present(facts=ModelFacts() as facts):
            return _judge(want, want.spec, name, view.now, memory, facts, thing)
        case Unknown(reason=reason):
            silent = Condition(ConditionType.READY, None, "EngineSilent", reason)
            outputs = _outputs(name, memory)
            return Decision((_ensure(want, want.spec, name, memory),), (silent,), outputs, memory, again_s=1)
        case Absent() if memory.was_there:
            what = "it was deleted outside Weyr and is registered again, without versions"
            memory = ModelMemory(alias_generation=memory.alias_generation + 1)
            drifted = Condition(ConditionType.DRIFTED, True, "Deleted", what)
            ensure = _ensure(want, want.spec, name, memory)
            return Decision((ensure,), (drifted,), memory=memory, notes=(Note("drift", what),), again_s=0.5)
        case Absent() | Present():
            ensure = _ensure(want, want.spec, name, memory)
            if thing and _is_refused(thing, ensure):
                return _refused(ensure, thing, name, memory)
            working = Condition(ConditionType.READY, False, "Registering", f"{name} is being registered")
            return Decision((ensure,), (working,), memory=memory, again_s=0.5)
        case other:
            assert_never(other)


def _judge(
    want: Want[ModelSpec],
    spec: ModelSpec,
    name: str,
    now: float,
    memory: ModelMemory,
    facts: ModelFacts,
    thing: Thing | None,
) -> Decision[ModelMemory]:
    memory, notes = promoted(want.ref, spec, memory, facts, now)
    chosen = _chosen(spec, memory, facts)
    in_use = {version for _, version, _ in chosen}
    seals = tuple((each.version, each.seal) for each in facts.versions if each.seal and each.version in in_use)
    memory = replace(memory, was_there=True, versions=len(facts.versions), chosen=chosen, seals=seals)
    ensure = _ensure(want, spec, name, memory)
    assert thing is not None, "what is present was asked for"
    if _is_refused(thing, ensure):
        return replace(_refused(ensure, thing, name, memory), notes=notes)
    condition = _condition(spec, memory, facts, now)
    moved = _moved_outside(spec, memory, facts, ensure, thing)
    if moved:
        drifted = Condition(ConditionType.DRIFTED, True, "AliasMoved", moved)
        notes = notes if moved == memory.drift else (*notes, Note("drift", moved))
        memory = replace(memory, drift=moved)
        again = replace(ensure, again=True)
        return Decision((again,), (condition, drifted), _outputs(name, memory), memory, notes=notes, again_s=1)
    memory = replace(memory, drift="")
    again_s = METRICS_LOOK_S if condition.reason == "MetricsMissing" else None
    return Decision((ensure,), (condition,), _outputs(name, memory), memory, notes=notes, again_s=again_s)


def _ensure(want: Want[ModelSpec], spec: ModelSpec, name: str, memory: ModelMemory) -> Ensure:
    # The thing's generation counts both the spec's changes and the alias's moves; each only goes up.
    aliases = ((spec.alias, memory.promoted),) if memory.promoted and spec.promote_if else ()
    generation = want.generation * 1_000_000 + memory.alias_generation
    return Ensure(Capability.REGISTRY, MODEL, ModelBody(name, aliases), generation)


def _is_refused(thing: Thing, ensure: Ensure) -> bool:
    """Whether the engine said no to just this; to something newer it may say yes."""
    return bool(thing.refusal) and thing.generation >= (ensure.generation or 0)


def _refused(ensure: Ensure, thing: Thing, name: str, memory: ModelMemory) -> Decision[ModelMemory]:
    failed = Condition(ConditionType.FAILED, True, "Refused", thing.refusal)
    return Decision((replace(ensure, again=True),), (failed,), _outputs(name, memory), memory, again_s=30)


def _moved_outside(spec: ModelSpec, memory: ModelMemory, facts: ModelFacts, ensure: Ensure, thing: Thing) -> str:
    """What somebody did to the alias that the gate moves, or nothing. What the engine has not taken on is no drift."""
    now_at = dict(facts.aliases).get(spec.alias, 0)
    is_settled = thing.is_accepted and thing.generation >= (ensure.generation or 0)
    if not spec.promote_if or not memory.promoted or now_at == memory.promoted or not is_settled:
        return ""
    return f"{spec.alias} was moved outside Weyr to {_version(now_at)}; it belongs to {_version(memory.promoted)}"


def _condition(spec: ModelSpec, memory: ModelMemory, facts: ModelFacts, now: float) -> Condition:
    newest = facts.versions[-1] if facts.versions else None
    if newest is None:
        return Condition(ConditionType.READY, True, "NoVersion", "registered; no version yet")
    count = f"{len(facts.versions)} version{'s' if len(facts.versions) > 1 else ''}, none chosen"
    stands = f"{spec.alias} is version {memory.promoted}" if memory.promoted else count
    if is_waiting(spec, memory, newest, now):
        missing = sorted(spec.promote_if.keys() - dict(newest.metrics).keys())
        text = f"{stands}; version {newest.version} has no metric {', '.join(missing)} yet"
        type = ConditionType.READY if memory.promoted else ConditionType.WAITING
        return Condition(type, True, "MetricsMissing", text)
    if memory.failed:
        text = f"version {memory.judged} failed its gate: {'; '.join(memory.failed)}"
        if memory.promoted:
            return Condition(ConditionType.READY, True, "GateFailed", f"{stands}; {text}")
        return Condition(ConditionType.FAILED, True, "GateFailed", text)
    return Condition(ConditionType.READY, True, "Registered", stands)


def _chosen(spec: ModelSpec, memory: ModelMemory, facts: ModelFacts) -> tuple[tuple[str, int, str], ...]:
    """Every alias with its version and where that lies; the gate's alias as it is about to be."""
    sources = {version.version: version.source for version in facts.versions}
    chosen = dict(facts.aliases) | ({spec.alias: memory.promoted} if memory.promoted else {})
    return tuple((alias, version, sources[version]) for alias, version in chosen.items() if version in sources)


def _outputs(name: str, memory: ModelMemory) -> dict[str, Scalar]:
    if not memory.was_there:
        return {}
    outputs: dict[str, Scalar] = {"name": name, "versions": memory.versions}
    for alias, version, source in memory.chosen:
        outputs |= {f"{alias}.version": version, f"{alias}.source": source}
        if seal := dict(memory.seals).get(version):
            outputs[f"{alias}.seal"] = seal
    return outputs


def _version(version: int) -> str:
    return f"version {version}" if version else "no version"


def _remove(thing: Thing | None, memory: ModelMemory | None) -> Decision[ModelMemory]:
    if thing is None or thing.is_gone:
        return Decision(forget=True)
    text = f"it cannot be deleted: {thing.refusal}" if thing.refusal else "the model and its versions are being deleted"
    deleting = Condition(ConditionType.READY, False, "Deleting", text)
    return Decision((Release(MODEL),), (deleting,), memory=memory, again_s=0.5)
