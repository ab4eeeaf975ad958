"""May a job begin, as far as other objects go? It may, it waits, or it is skipped for good. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from weyr.core.decision import Need, Phase
from weyr.core.ref import Ref
from weyr.kinds.compute.job.spec import JobNeed, JobSpec

NOT_WAITED_FOR = frozenset({"queue", "pool"})
"""What a task is held back by, not what it needs: the scheduler sees to these."""

OVER = frozenset({Phase.DONE, Phase.SKIPPED, Phase.FAILED})


@dataclass(frozen=True, slots=True)
class Readiness:
    """`waits_for` and `skipped` are sentences; with neither, the job may begin."""

    waits_for: str = ""
    skipped: str = ""


def readiness(ref: Ref, spec: JobSpec, needs: Mapping[Ref, Need]) -> Readiness:
    """What stands in the way of a job's next attempt."""
    jobs = {need.job.ref(ref.stack): need for need in spec.needs}
    for to, need in jobs.items():
        if to in needs and (why := _never(to, need, needs[to])):
            return Readiness(skipped=why)
    waiting = [f"{to} ({seen.phase})" for to, seen in needs.items() if not _is_met(ref, spec, to, seen, jobs.get(to))]
    return Readiness(waits_for=f"waits for {', '.join(sorted(waiting))}" if waiting else "")


def _is_met(ref: Ref, spec: JobSpec, to: Ref, seen: Need, as_job: JobNeed | None) -> bool:
    if as_job is not None:
        return seen.phase in OVER
    if to.kind in NOT_WAITED_FOR:
        return True
    # A model only has to be registered: a version that failed its gate must not block the next.
    if spec.produces and to == spec.produces.ref(ref.stack):
        return "name" in seen.outputs
    return seen.phase is Phase.READY


def _never(to: Ref, need: JobNeed, seen: Need) -> str:
    """Why a job that is over will not let this one begin; "" where it may, or is not over."""
    if need.on == "always" or seen.phase not in OVER:
        return ""
    if seen.phase is Phase.SKIPPED:
        return f"{to} was skipped"
    if need.on == "success" and seen.phase is Phase.FAILED:
        return f"{to} failed"
    if need.on == "failure" and seen.phase is Phase.DONE:
        return f"{to} succeeded"
    return ""
