"""service: a program that goes on answering."""

from weyr.core.capability import Capability
from weyr.core.kind import Kind, Layer
from weyr.core.route_usage import route_usage
from weyr.core.task_usage import task_usage, wish_of
from weyr.kinds.compute.service.checks import checks
from weyr.kinds.compute.service.closing import WAKE, refuses
from weyr.kinds.compute.service.decide import assumes, begins, decide, estimate, on_markets
from weyr.kinds.compute.service.demand import demand
from weyr.kinds.compute.service.memory import ServiceMemory, reborn
from weyr.kinds.compute.service.spec import ServiceSpec

KIND = Kind(
    name="service",
    plural="services",
    layer=Layer.COMPUTE,
    summary="A server of any kind that goes on answering: replicas, health checks, rolling updates.",
    spec=ServiceSpec,
    decide=decide,
    capabilities=(Capability.TASKS, Capability.TRAFFIC),
    memory=ServiceMemory,
    usage=lambda _spec, things: (*task_usage(things), *route_usage(things)),
    estimate=estimate,
    begins=begins,
    assumes=assumes,
    markets=on_markets,
    wishes=lambda spec: wish_of(spec, bool(spec.scale and spec.scale.spot)),
    reborn=reborn,
    checks=checks,
    demand=demand,
    orders=frozenset({WAKE}),
    refuses=refuses,
    reads_cost=lambda spec: spec.calendar is not None,
)
