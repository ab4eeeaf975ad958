"""pool: nodes of one sort, as many as are needed."""

from weyr.core.capability import Capability
from weyr.core.kind import Kind, Layer
from weyr.kinds.compute.pool.checks import checks
from weyr.kinds.compute.pool.decide import PoolMemory, decide, declared, reborn
from weyr.kinds.compute.pool.spec import PoolSpec
from weyr.kinds.compute.pool.usage import assumes, begins, estimate, usage, wishes

KIND = Kind(
    name="pool",
    plural="pools",
    layer=Layer.COMPUTE,
    summary="Nodes of one sort, with their accelerators and price, as many as what waits needs.",
    spec=PoolSpec,
    decide=decide,
    capabilities=(Capability.POOLS, Capability.NODES),
    memory=PoolMemory,
    usage=usage,
    estimate=estimate,
    begins=begins,
    assumes=assumes,
    wishes=wishes,
    reborn=reborn,
    checks=checks,
    declares=declared,
)
