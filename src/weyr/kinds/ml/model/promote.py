"""Which version does the alias belong to? The newest that passes the gate. Pure.

What has passed stays chosen until a newer one passes, the rules change, or it is deleted. What has failed is judged
again at each look: its run may log the metric that it lacks a moment after it is registered.
"""

from dataclasses import replace

from weyr.core.decision import Note
from weyr.core.moment import is_awaited
from weyr.core.ref import Ref
from weyr.core.seen import ModelFacts, VersionFacts
from weyr.kinds.ml.model.gate import failures_of
from weyr.kinds.ml.model.memory import ModelMemory
from weyr.kinds.ml.model.spec import ModelSpec

METRICS_WAIT_S = 30.0
"""How long a new version may lack a metric before it counts as failed: clients register first and log then."""
METRICS_LOOK_S = 1.0


def promoted(
    ref: Ref, spec: ModelSpec, memory: ModelMemory, facts: ModelFacts, now: float
) -> tuple[ModelMemory, tuple[Note, ...]]:
    """The memory after judging, and what the story is told of it."""
    newest = facts.versions[-1] if facts.versions else None
    if newest and newest.version != memory.newest:
        memory = replace(memory, newest=newest.version, newest_at=now)
    if not spec.promote_if:
        chosen = dict(facts.aliases).get(spec.alias, 0)
        return replace(memory, promoted=chosen, rules=(), judged=0, failed=()), ()
    memory, notes = _chosen(ref, spec, memory, facts)
    if newest is None or newest.version <= memory.promoted or is_waiting(spec, memory, newest, now):
        return replace(memory, failed=()), notes
    failed = failures_of(spec.promote_if, dict(newest.metrics))
    if (newest.version, failed) != (memory.judged, memory.failed):
        text = f"{ref} version {newest.version} failed its gate: {'; '.join(failed)}"
        notes = (*notes, Note("gate.failed", text))
    return replace(memory, judged=newest.version, failed=failed), notes


def is_waiting(spec: ModelSpec, memory: ModelMemory, newest: VersionFacts, now: float) -> bool:
    """Whether the newest version may still get the metrics that it lacks."""
    is_recent = is_awaited(memory.newest_at + METRICS_WAIT_S, now, METRICS_WAIT_S)
    missing = spec.promote_if.keys() - dict(newest.metrics).keys()
    return bool(missing) and newest.version > memory.promoted and is_recent


def _chosen(ref: Ref, spec: ModelSpec, memory: ModelMemory, facts: ModelFacts) -> tuple[ModelMemory, tuple[Note, ...]]:
    rules = tuple(sorted(spec.promote_if.items()))
    stays = memory.promoted if memory.promoted in {version.version for version in facts.versions} else 0
    # Under new rules every version is a candidate again, also older ones than the one chosen now.
    floor = stays if rules == memory.rules else 0
    newer = (version for version in reversed(facts.versions) if version.version > floor)
    passing = next((version for version in newer if not failures_of(spec.promote_if, dict(version.metrics))), None)
    chosen = passing.version if passing else stays
    notes: tuple[Note, ...] = ()
    if memory.promoted and not stays:
        notes = (Note("model.version_gone", f"{ref} version {memory.promoted} was {spec.alias} and was deleted"),)
    if passing and chosen != memory.promoted:
        metrics = dict(passing.metrics)
        shown = ", ".join(f"{name} {metrics[name]:.4g}" for name in spec.promote_if)
        notes = (*notes, Note("gate.passed", f"{ref} version {chosen} passed its gate ({shown})"))
    moves = memory.alias_generation + (chosen != memory.promoted)
    return replace(memory, rules=rules, promoted=chosen, alias_generation=moves), notes
