"""function: code that runs when something happens, and costs nothing meanwhile."""

from weyr.core.capability import Capability
from weyr.core.function_usage import function_usage
from weyr.core.kind import Begins, Kind, Layer
from weyr.core.task_usage import planned_quantities, task_usage
from weyr.kinds.compute.function.checks import checks
from weyr.kinds.compute.function.decide import assumes, decide, estimate
from weyr.kinds.compute.function.memory import FunctionMemory, reborn
from weyr.kinds.compute.function.spec import FunctionSpec

KIND = Kind(
    name="function",
    plural="functions",
    layer=Layer.COMPUTE,
    summary="Code that runs when something happens: a request, an object, a time; it costs nothing meanwhile.",
    spec=FunctionSpec,
    decide=decide,
    capabilities=(Capability.TASKS, Capability.TRAFFIC, Capability.FUNCTIONS),
    memory=FunctionMemory,
    usage=lambda _spec, things: (*task_usage(things), *function_usage(things)),
    estimate=estimate,
    begins=lambda spec: Begins(planned_quantities(spec)) if spec.scale.warm else None,
    assumes=assumes,
    reborn=reborn,
    checks=checks,
)
