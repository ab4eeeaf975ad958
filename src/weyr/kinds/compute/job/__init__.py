"""job: a program that runs to its end."""

from weyr.core.capability import Capability
from weyr.core.kind import Kind, Layer
from weyr.core.task_usage import task_usage, wish_of
from weyr.kinds.compute.job.bounds import begins
from weyr.kinds.compute.job.checks import checks
from weyr.kinds.compute.job.decide import decide
from weyr.kinds.compute.job.estimate import assumes, estimate
from weyr.kinds.compute.job.memory import JobMemory, reborn, recalled
from weyr.kinds.compute.job.spec import JobSpec

KIND = Kind(
    name="job",
    plural="jobs",
    layer=Layer.COMPUTE,
    summary="A program that runs to its end, and begins again where it was interrupted.",
    spec=JobSpec,
    decide=decide,
    capabilities=(Capability.TASKS,),
    memory=JobMemory,
    usage=lambda _spec, things: task_usage(things),
    estimate=estimate,
    assumes=assumes,
    recalls=recalled,
    markets=lambda spec: {word: spec.model_copy(update={"spot": word == "spot"}) for word in ("spot", "on demand")},
    reborn=reborn,
    wishes=lambda spec: wish_of(spec, spec.spot),
    reads_cost=lambda spec: spec.max_cost is not None,
    checks=checks,
    begins=begins,
    together=lambda spec: spec.replicas,
)
