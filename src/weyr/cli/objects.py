"""What does the server say of an object, and has the stack come to rest? Rows of the API as typed values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from weyr.core.phase import Phase

MOVING = frozenset({Phase.WORKING, Phase.UNKNOWN, Phase.REMOVING})
STANDING = frozenset({Phase.READY, Phase.DONE, Phase.SKIPPED})
BROKEN = frozenset({Phase.FAILED, Phase.HELD})
SETTLE_S = 5.0
"""So long a waiting object may go unnoticed after what it waited for changed."""
REST_S = 0.5
"""So long everything must stand before it counts: right after a change an object still tells of its old self."""
PATIENCE_S = 90.0
"""So long everything may wait, with nothing at work and no event, before it counts as stuck."""
FOR_A_PERSON = frozenset({"ValueMissing"})
"""Reasons of waiting that only somebody at a keyboard can end: nothing is gained by watching them."""
TRYING_AGAIN = frozenset({"Backoff", "Restarting"})
"""Reasons of waiting that end by themselves, after up to 300 s: a job between two attempts is at work."""


@dataclass(frozen=True, slots=True)
class Row:
    """One object as listed."""

    stack: str
    kind: str
    name: str
    phase: Phase
    reason: str = ""
    message: str = ""
    generation: int = 0
    outputs: Mapping[str, Any] = field(default_factory=dict)
    things: tuple[Mapping[str, Any], ...] = ()
    conditions: tuple[Mapping[str, Any], ...] = ()
    rate_micros_per_hour: int = 0
    cost_micros: int = 0
    unit_cost: Mapping[str, Any] = field(default_factory=dict)
    updated_at: float = 0.0

    @property
    def ref(self) -> str:
        return f"{self.kind}/{self.name}"


class Outcome(Enum):
    """How following a stack ended. STUCK: nothing moves, and something still waits. REMOVED: by somebody else."""

    STANDS = "stands"
    FAILED = "failed"
    STUCK = "stuck"
    TIMED_OUT = "timed out"
    REMOVED = "removed"


def row_of(fields: Mapping[str, Any]) -> Row:
    """A row of `/v1/objects`; what is missing is empty, a phase of a newer server is unknown."""
    phase = fields.get("phase", "")
    conditions = tuple(fields.get("conditions") or ())
    reason, message = _what_it_does(conditions)
    return Row(
        stack=str(fields.get("stack", "")),
        kind=str(fields.get("kind", "")),
        name=str(fields.get("name", "")),
        phase=Phase(phase) if phase in set(Phase) else Phase.UNKNOWN,
        reason=reason,
        message=message,
        generation=int(fields.get("generation") or 0),
        outputs=dict(fields.get("outputs") or {}),
        things=tuple(fields.get("things") or ()),
        conditions=conditions,
        rate_micros_per_hour=int(fields.get("rate_micros_per_hour") or 0),
        cost_micros=int(fields.get("cost_micros") or 0),
        unit_cost=dict(fields.get("unit_cost") or {}),
        updated_at=float(fields.get("updated_at") or 0.0),
    )


def rows_of(answer: Mapping[str, Any]) -> list[Row]:
    """All rows of an answer of `/v1/objects`."""
    return [row_of(fields) for fields in answer.get("objects", ())]


def outcome_of(rows: Sequence[Row], wanted: Mapping[str, int], quiet_s: float) -> Outcome | None:
    """How it ended, or None while it goes on.

    Takes the refs that the plan wants to stand with their generations, and for how long nothing has changed.
    """
    generations = {row.ref: row.generation for row in rows}
    if any(generations.get(ref, -1) < generation for ref, generation in wanted.items()):
        return None
    phases = {row.phase for row in rows}
    reasons = {row.reason for row in rows if row.phase is Phase.WAITING}
    if phases & MOVING or reasons & TRYING_AGAIN:
        return None
    if Phase.WAITING in phases:
        is_hopeless = bool(phases & BROKEN or reasons & FOR_A_PERSON)
        return Outcome.STUCK if quiet_s >= (SETTLE_S if is_hopeless else PATIENCE_S) else None
    if wanted and quiet_s < REST_S:
        return None
    return Outcome.FAILED if phases & BROKEN else Outcome.STANDS


def _what_it_does(conditions: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The condition that tells most: of those that are bad, then unsure, then good, the first that says something."""
    telling = [c for c in conditions if c.get("message") or c.get("reason")]
    ranked = sorted(telling, key=lambda c: _rank(str(c.get("type")), c.get("status")))
    return (str(ranked[0].get("reason", "")), str(ranked[0].get("message", ""))) if ranked else ("", "")


def _rank(type_: str, status: bool | None) -> int:
    if status and type_ in ("Failed", "Held"):
        return 0
    if status and type_ in ("Waiting", "Drifted"):
        return 1
    return 2 if status is not True else 3
