"""dev: a place to work in, which ends when nobody does."""

from weyr.core.capability import Capability
from weyr.core.kind import Begins, Kind, Layer
from weyr.core.task_usage import planned_quantities, task_usage
from weyr.kinds.compute.dev.checks import checks
from weyr.kinds.compute.dev.decide import WAKE, assumes, decide, estimate, refuses
from weyr.kinds.compute.dev.memory import DevMemory, reborn
from weyr.kinds.compute.dev.spec import DevSpec

KIND = Kind(
    name="dev",
    plural="devs",
    layer=Layer.COMPUTE,
    summary="A session to work in, by shell or in a notebook; it ends when nothing happens any more.",
    spec=DevSpec,
    decide=decide,
    capabilities=(Capability.TASKS,),
    memory=DevMemory,
    usage=lambda _spec, things: task_usage(things),
    estimate=estimate,
    begins=lambda spec: None if spec.calendar else Begins(planned_quantities(spec)),
    assumes=assumes,
    reborn=reborn,
    begins_again=True,
    checks=checks,
    orders=frozenset({WAKE}),
    refuses=refuses,
    reads_cost=lambda _spec: True,
)
