"""What is impossible or unwise in a service, though each of its fields is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal, shared_address
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.core.scale_fields import scale_findings
from weyr.kinds.compute.service.spec import ServiceSpec


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Rollouts that could never begin, health checks that contradict one another, and routes with one name."""
    for ref, spec in proposal.specs.items():
        if not isinstance(spec, ServiceSpec):
            continue
        yield from shared_address(proposal, ref)
        if spec.rollout.max_surge == 0 and spec.rollout.max_unavailable == 0:
            detail = "With neither room for a new replica nor leave to stop an old one, no new version could begin."
            yield Finding(ref, ("rollout",), Severity.FATAL, "A rollout that cannot begin", detail, "max_surge: 1")
        yield from _scale_findings(ref, spec, proposal)
        if spec.health.http and spec.health.command:
            detail = f"{ref} is well when a path answers and when a command succeeds; only one of the two can be asked."
            yield Finding(ref, ("health",), Severity.FATAL, "Two health checks", detail)
        if not spec.listens and spec.health.http:
            detail = f"{ref} does not listen, so there is nothing that could answer {spec.health.http}."
            yield Finding(ref, ("health", "http"), Severity.FATAL, "A check of what does not listen", detail)
        if spec.image and spec.health.command:
            detail = f"{ref} runs in an image, and its health check would run outside of it; ask it over its port."
            yield Finding(ref, ("health", "command"), Severity.FATAL, "A check outside of the image", detail, "http: /")


def _scale_findings(ref: Ref, spec: ServiceSpec, proposal: Proposal) -> Iterator[Finding]:
    if spec.scale is None:
        return
    yield from scale_findings(ref, spec, spec.scale, proposal)
    if not spec.listens:
        detail = f"{ref} does not listen, so nothing that is asked of it is seen. Say how many run with `replicas`."
        yield Finding(ref, ("scale",), Severity.FATAL, "A load that cannot be measured", detail, "replicas: 2")
    if spec.replicas != 1:
        detail = f"{ref} is to have {spec.replicas} replicas, and as many as are needed. Keep one of the two."
        yield Finding(ref, ("replicas",), Severity.FATAL, "Two numbers of replicas", detail)
    if spec.restart != "always":
        detail = f"A replica of {ref} that ended is not replaced, and would be missed by who counts what is needed."
        yield Finding(ref, ("restart",), Severity.FATAL, "Scaling without restarts", detail, "restart: always")
