"""What should happen to a model next? Pure.

The model is registered at once, so that jobs can add versions. Each new version is judged once;
the alias moves to the newest that passes the gate, and stays there when a later one fails.
"""

from dataclasses import dataclass, replace
from typing import assert_never

from weyr.core.capability import Capability, ModelBody
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Note, Release, Scalar, Thing, View, Want
from weyr.core.ref import Ref
from weyr.core.seen import Absent, ModelFacts, Present, Unknown, VersionFacts
from weyr.kinds.ml.model.gate import failures_of
from weyr.kinds.ml.model.spec import ModelSpec

MODEL = ""


@dataclass(frozen=True, slots=True)
class ModelMemory:
    """The newest version that was judged, what it failed, and the version the alias belongs to (0: none)."""

    judged: int = 0
    failed: tuple[str, ...] = ()
    promoted: int = 0
    alias_generation: int = 0
    rules: tuple[tuple[str, str], ...] = ()


def decide(want: Want[ModelSpec], view: View[ModelMemory]) -> Decision[ModelMemory]:
    """Registers the model, judges what is new, and moves the alias to what passes."""
    thing = view.things.get(MODEL)
    if want.spec is None:
        return _remove(thing)
    name = want.spec.name or f"{want.ref.stack}-{want.ref.name}"
    memory = view.memory or ModelMemory()
    match thing.seen if thing else Absent():
        case Present(facts=ModelFacts() as facts):
            return _judge(want, want.spec, name, memory, facts)
        case Unknown(reason=reason):
            silent = Condition(ConditionType.READY, None, "EngineSilent", reason)
            return Decision((_ensure(want, want.spec, name, memory),), (silent,), memory=memory, again_s=1)
        case Absent() | Present():
            memory = ModelMemory(alias_generation=memory.alias_generation)
            working = Condition(ConditionType.READY, False, "Registering", f"{name} is being registered")
            return Decision((_ensure(want, want.spec, name, memory),), (working,), memory=memory, again_s=0.5)
        case other:
            assert_never(other)


def _judge(
    want: Want[ModelSpec], spec: ModelSpec, name: str, memory: ModelMemory, facts: ModelFacts
) -> Decision[ModelMemory]:
    rules = tuple(sorted(spec.promote_if.items()))
    if rules != memory.rules:
        # New rules judge the newest version anew; what was promoted under the old ones stays until then.
        memory = replace(memory, rules=rules, judged=0, failed=())
    aliases = dict(facts.aliases)
    newest = facts.versions[-1] if facts.versions else None
    notes: tuple[Note, ...] = ()
    if rules and newest and newest.version > memory.judged:
        memory, notes = _judged(want.ref, spec, memory, newest)
    if not rules:
        memory = replace(memory, promoted=aliases.get(spec.alias, 0), failed=())
    has_drifted = bool(memory.promoted) and not notes and aliases.get(spec.alias) != memory.promoted
    ensure = _ensure(want, spec, name, memory)
    conditions: tuple[Condition, ...] = (_condition(spec, memory, newest),)
    if has_drifted and memory.alias_generation:
        text = f"{spec.alias} was moved outside Weyr to {_version(aliases.get(spec.alias, 0))}; it belongs to "
        drift = text + _version(memory.promoted)
        conditions = (*conditions, Condition(ConditionType.DRIFTED, True, "AliasMoved", drift))
        return Decision(
            (replace(ensure, again=True),), conditions, memory=memory, notes=(Note("drift", drift),), again_s=1
        )
    outputs = _outputs(name, spec, memory, facts)
    return Decision((ensure,), conditions, outputs, memory, notes=notes)


def _judged(
    ref: Ref, spec: ModelSpec, memory: ModelMemory, version: VersionFacts
) -> tuple[ModelMemory, tuple[Note, ...]]:
    failed = failures_of(spec.promote_if, dict(version.metrics))
    memory = replace(memory, judged=version.version, failed=failed)
    shown = ", ".join(f"{name} {dict(version.metrics).get(name, float('nan')):.4g}" for name in spec.promote_if)
    if failed:
        return memory, (Note("gate.failed", f"{ref} version {version.version} failed its gate: {'; '.join(failed)}"),)
    memory = replace(memory, promoted=version.version, alias_generation=memory.alias_generation + 1)
    return memory, (Note("gate.passed", f"{ref} version {version.version} passed its gate ({shown})"),)


def _ensure(want: Want[ModelSpec], spec: ModelSpec, name: str, memory: ModelMemory) -> Ensure:
    # The thing's generation counts both the spec's changes and the alias's moves; each only goes up.
    aliases = ((spec.alias, memory.promoted),) if memory.promoted and spec.promote_if else ()
    generation = want.generation * 1_000_000 + memory.alias_generation
    return Ensure(Capability.REGISTRY, MODEL, ModelBody(name, aliases), generation)


def _condition(spec: ModelSpec, memory: ModelMemory, newest: VersionFacts | None) -> Condition:
    if memory.failed:
        kept = f"; {spec.alias} stays at version {memory.promoted}" if memory.promoted else ""
        text = f"version {memory.judged} failed its gate: {'; '.join(memory.failed)}{kept}"
        # With a version before it that passed, the model goes on as it was: only its newest version failed.
        word = ConditionType.READY if memory.promoted else ConditionType.FAILED
        return Condition(word, True, "GateFailed", text)
    if newest is None:
        return Condition(ConditionType.READY, True, "NoVersion", "registered; no version yet")
    text = (
        f"{spec.alias} is version {memory.promoted}" if memory.promoted else f"{newest.version} versions, none chosen"
    )
    return Condition(ConditionType.READY, True, "Registered", text)


def _outputs(name: str, spec: ModelSpec, memory: ModelMemory, facts: ModelFacts) -> dict[str, Scalar]:
    sources = {version.version: version.source for version in facts.versions}
    outputs: dict[str, Scalar] = {"name": name, "versions": len(facts.versions)}
    chosen = dict(facts.aliases) | ({spec.alias: memory.promoted} if memory.promoted else {})
    for alias, version in chosen.items():
        if version in sources:
            outputs |= {f"{alias}.version": version, f"{alias}.source": sources[version]}
    return outputs


def _version(version: int) -> str:
    return f"version {version}" if version else "no version"


def _remove(thing: Thing | None) -> Decision[ModelMemory]:
    if thing is None or isinstance(thing.seen, Absent):
        return Decision(forget=True)
    deleting = Condition(ConditionType.READY, False, "Deleting", "the model and its versions are being deleted")
    return Decision((Release(MODEL),), (deleting,), again_s=0.5)
