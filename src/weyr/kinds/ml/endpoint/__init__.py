"""endpoint: a model behind an address."""

from weyr.core.capability import Capability
from weyr.core.kind import Begins, Kind, Layer
from weyr.core.route_usage import route_usage
from weyr.core.task_usage import planned_quantities, task_usage, wish_of
from weyr.kinds.ml.endpoint.checks import checks
from weyr.kinds.ml.endpoint.decide import decide
from weyr.kinds.ml.endpoint.demand import demand
from weyr.kinds.ml.endpoint.memory import EndpointMemory, reborn
from weyr.kinds.ml.endpoint.price import assumes, estimate, on_markets
from weyr.kinds.ml.endpoint.progress import ORDERS, refuses
from weyr.kinds.ml.endpoint.spec import EndpointSpec

KIND = Kind(
    name="endpoint",
    plural="endpoints",
    layer=Layer.ML,
    summary="A model behind an address, spoken to by the Open Inference Protocol v2.",
    spec=EndpointSpec,
    decide=decide,
    capabilities=(Capability.TASKS, Capability.TRAFFIC),
    memory=EndpointMemory,
    usage=lambda _spec, things: (*task_usage(things), *route_usage(things)),
    estimate=estimate,
    begins=lambda spec: Begins(planned_quantities(spec)) if spec.scale.min else None,
    assumes=assumes,
    markets=on_markets,
    wishes=lambda spec: wish_of(spec, spec.scale.spot),
    reborn=reborn,
    checks=checks,
    orders=ORDERS,
    refuses=refuses,
    demand=demand,
)
