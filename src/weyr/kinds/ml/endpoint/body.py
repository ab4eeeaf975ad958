"""What does a replica of an endpoint look like to an engine? Pure."""

from collections.abc import Mapping, Sequence

from weyr.core.capability import TaskBody
from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.kinds.ml.endpoint.revision import Target
from weyr.kinds.ml.endpoint.runs import Files, program_body, served_body
from weyr.kinds.ml.endpoint.spec import EndpointSpec
from weyr.kinds.ml.endpoint.watching import traced


def replica_body(
    ref: Ref, spec: EndpointSpec, targets: Sequence[Target], needs: Mapping[Ref, Need], folder: str
) -> TaskBody:
    """A server on the versions' files. It may read those, and what its spec names, and nothing else.

    Takes: one target, or several where it is Weyr's own server.
    """
    if spec.run is None and spec.engine is None:
        words = [
            word
            for target in targets
            for word in ("--source", target.source, "--name", target.local_name, "--version", str(target.version))
        ]
        words += [f"--seal={target.local_name}/{target.version}={target.seal}" for target in targets if target.seal]
        # One word for all models of a replica: code that one of them runs could reach the others.
        how = [] if any(target.only_data for target in targets) else ["--allow-code"]
        how += ["--compute-threads", str(max(1, int(spec.resources.cpu)))]
        how += ["--handler", spec.handler] if spec.handler else []
        how += _computing(spec)
        sources = tuple(target.source for target in targets)
        body = served_body(ref, spec, needs, folder, (*words, *how), sources)
    else:
        target = targets[0]
        files = Files(target.source, f"{target.local_name}/{target.version}", target.seal) if target.source else None
        body = program_body(ref, spec, needs, folder, target.local_name, files)
    return traced(body, spec.watch)


def _computing(spec: EndpointSpec) -> list[str]:
    """What the file says of batches and of memory; the server's own measure where it says nothing."""
    said = {
        "--batch-rows": spec.batch.size,
        "--batch-delay": spec.batch.delay or None,
        "--pad": spec.batch.pad,
        "--threads": spec.concurrency,
        "--streams": spec.concurrency,
        "--memory-max": spec.memory_max,
    }
    # One word each: a value may begin with a dash.
    return [f"{flag}={value}" for flag, value in said.items() if value is not None]
