"""What is impossible or unwise in a service, though each of its fields is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal, shared_address
from weyr.core.diagnostic import Severity
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
        if spec.health.http and spec.health.command:
            detail = f"{ref} is well when a path answers and when a command succeeds; only one of the two can be asked."
            yield Finding(ref, ("health",), Severity.FATAL, "Two health checks", detail)
        if not spec.listens and spec.health.http:
            detail = f"{ref} does not listen, so there is nothing that could answer {spec.health.http}."
            yield Finding(ref, ("health", "http"), Severity.FATAL, "A check of what does not listen", detail)
        if spec.image and spec.health.command:
            detail = f"{ref} runs in an image, and its health check would run outside of it; ask it over its port."
            yield Finding(ref, ("health", "command"), Severity.FATAL, "A check outside of the image", detail, "http: /")
