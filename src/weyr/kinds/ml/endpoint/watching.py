"""What is the plane to note of requests, and where does a replica send its spans? Pure."""

from collections.abc import Mapping
from dataclasses import replace

from weyr.core.capability import TaskBody
from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.core.watch import PayloadLog, Watch
from weyr.kinds.ml.endpoint.fields.watch import Log, Watching

COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""OpenTelemetry's own word, which other servers than ours know too."""


def watch_of(ref: Ref, watching: Watching, needs: Mapping[Ref, Need]) -> Watch:
    """As the plane is told."""
    traces = watching.traces
    return Watch(
        has_callers=watching.callers,
        traces_to=traces.to if traces else "",
        sample=traces.sample if traces else 0.0,
        log=_log(ref, watching.log, needs) if watching.log else None,
    )


def traced(body: TaskBody, watching: Watching) -> TaskBody:
    """A replica that knows the collector, if there is one; what its own file says comes first."""
    if watching.traces is None:
        return body
    return replace(body, env={COLLECTOR: watching.traces.to, **body.env})


def _log(ref: Ref, log: Log, needs: Mapping[Ref, Need]) -> PayloadLog | None:
    """None while its bucket is not known: nothing is kept then."""
    need = needs.get(log.bucket.ref(ref.stack))
    name = need.outputs.get("name") if need else None
    return PayloadLog(str(name), log.prefix, log.sample, log.redact, log.max_bytes) if name else None
