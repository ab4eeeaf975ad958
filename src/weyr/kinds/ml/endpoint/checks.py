"""What is impossible in an endpoint, though each of its fields is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.diagnostic import Severity, did_you_mean
from weyr.core.ref import Ref
from weyr.core.scale_fields import scale_findings
from weyr.kinds.ml.endpoint.engines import ENGINES
from weyr.kinds.ml.endpoint.program_checks import program_findings
from weyr.kinds.ml.endpoint.spec import EndpointSpec
from weyr.kinds.ml.endpoint.traffic_checks import traffic_findings


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Endpoints whose limits contradict each other, and programs that cannot run as they are described."""
    for ref, spec in proposal.specs.items():
        if not isinstance(spec, EndpointSpec):
            continue
        yield from program_findings(ref, spec, has_model=bool(spec.model or spec.models or spec.variants))
        yield from traffic_findings(ref, spec)
        if spec.grpc and spec.engine and ENGINES[spec.engine].protocol != "v2":
            title = ENGINES[spec.engine].title
            detail = f"{ref}: over gRPC the Open Inference Protocol is spoken, and {title} does not speak it over HTTP."
            yield Finding(ref, ("grpc",), Severity.FATAL, "A field that cannot be honoured", detail)
        yield from scale_findings(ref, spec, spec.scale, proposal)
        yield from _metric_findings(ref, spec)
        yield from _per_model_findings(ref, spec)


def _per_model_findings(ref: Ref, spec: EndpointSpec) -> Iterator[Finding]:
    named = [spec.model, *spec.models, *(variant.model for variant in spec.variants.values())]
    named += [spec.shadow.model] if spec.shadow else []
    names = sorted({model.name for model in named if model})
    for name in sorted(spec.per_model.keys() - set(names)):
        detail = f"{ref} serves no model {name}.{did_you_mean(name, names)}"
        yield Finding(ref, ("per_model", name), Severity.FATAL, "A model that is not served", detail)


def _metric_findings(ref: Ref, spec: EndpointSpec) -> Iterator[Finding]:
    metric = spec.scale.target_metric
    if metric is None or metric.path is None or spec.run is not None:
        return
    where = ENGINES[spec.engine].metrics if spec.engine else "/metrics"
    who = ENGINES[spec.engine].title if spec.engine else "Weyr's own model server"
    detail = f"{ref}: {who} has its page at {where}, and no other. Leave the path out."
    path = ("scale", "target_metric", "path")
    yield Finding(ref, path, Severity.FATAL, "A field that cannot be honoured", detail)
