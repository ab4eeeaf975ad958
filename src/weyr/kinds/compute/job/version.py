"""Is what a spec asks for the same run as before? Two hashes of a spec answer that. Pure."""

import hashlib
import json

from weyr.kinds.compute.job.spec import ArrayPart, JobSpec

IN_LINE = frozenset({"queue", "pool", "priority", "labels", "tolerates"})
"""Fields that say where in which line it waits: what has begun is left alone."""

IN_PLACE = IN_LINE | {
    "protect", "tags", "retries", "expected_duration", "array", "needs", "suspend", "done_when", "schedule", "deadline",
    "max_cost",
}  # fmt: skip
"""Fields that say nothing about what runs: a change of them disturbs no attempt."""

PROGRAM = frozenset({
    "run", "folder", "env", "secrets", "secret_files", "image", "python", "reads", "writes", "inputs", "outputs",
    "produces", "rerun", "ship",
})  # fmt: skip
"""Fields that decide what a run computes. The rest says how: with how much memory, for how long, on spot."""


def version_of(spec: JobSpec) -> str:
    """Names everything an attempt is started with; when it changes, a running attempt is replaced."""
    return _hash(spec, _ALL - IN_PLACE)


def program_of(spec: JobSpec) -> str:
    """Names what is computed; when it changes, a finished job runs again and old checkpoints do not count."""
    return _hash(spec, PROGRAM)


_ALL = frozenset(JobSpec.model_fields)


def _hash(spec: JobSpec, fields: frozenset[str]) -> str:
    if fields not in spec.hashes:
        spec.hashes[fields] = _worked_out(spec, fields)
    return spec.hashes[fields]


def _worked_out(spec: JobSpec, fields: frozenset[str]) -> str:
    # Keys are sorted, so that another order in the file runs no finished job again.
    plain = {name: value for name, value in spec.plain.items() if name in fields}
    if isinstance(spec.array, ArrayPart):
        # What each index computes; how many there are, and how many at once, is another question.
        plain["indices"] = spec.array.model_dump(mode="json")["matrix"]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
