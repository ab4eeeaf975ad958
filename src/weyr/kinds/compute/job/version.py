"""Is what a spec asks for the same run as before? Two hashes of a spec answer that. Pure."""

import hashlib
import json

from weyr.kinds.compute.job.spec import ArrayPart, JobSpec

IN_LINE = frozenset({"queue", "pool", "priority", "labels", "tolerates"})
"""Fields that say where in which line it waits: what has begun is left alone."""

IN_PLACE = IN_LINE | {
    "protect", "retries", "expected_duration", "array", "needs", "suspend", "done_when", "schedule", "deadline",
    "max_cost",
}  # fmt: skip
"""Fields that say nothing about what runs: a change of them disturbs no attempt."""

PROGRAM = frozenset({
    "run", "folder", "env", "secrets", "secret_files", "image", "python", "reads", "writes", "inputs", "outputs",
    "produces", "rerun",
})  # fmt: skip
"""Fields that decide what a run computes. The rest says how: with how much memory, for how long, on spot."""


def version_of(spec: JobSpec) -> str:
    """Names everything an attempt is started with; when it changes, a running attempt is replaced."""
    return _hash(spec, frozenset(type(spec).model_fields) - IN_PLACE)


def program_of(spec: JobSpec) -> str:
    """Names what is computed; when it changes, a finished job runs again and old checkpoints do not count."""
    return _hash(spec, PROGRAM)


def _hash(spec: JobSpec, fields: frozenset[str]) -> str:
    # What was not written is left out, so a field that a later release adds runs no finished job again;
    # keys are sorted, so that neither does another order in the file.
    plain = spec.model_dump(mode="json", include=set(fields), exclude_defaults=True)
    if isinstance(spec.array, ArrayPart):
        # What each index computes; how many there are, and how many at once, is another question.
        plain["indices"] = spec.array.model_dump(mode="json")["matrix"]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
