"""queue: what several jobs, and several stacks, share of the nodes."""

from weyr.core.capability import Capability
from weyr.core.kind import Kind, Layer
from weyr.kinds.compute.queue.checks import checks
from weyr.kinds.compute.queue.decide import body_of, decide
from weyr.kinds.compute.queue.spec import QueueSpec

KIND = Kind(
    name="queue",
    plural="queues",
    layer=Layer.COMPUTE,
    summary="A share of CPU, memory, accelerators and money that jobs stand in line for.",
    spec=QueueSpec,
    decide=decide,
    capabilities=(Capability.QUEUES,),
    checks=checks,
    declares=lambda _ref, spec: body_of(spec),
)
