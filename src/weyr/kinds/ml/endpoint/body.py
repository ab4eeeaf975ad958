"""What does a replica of an endpoint look like to an engine? Pure."""

from collections.abc import Mapping, Sequence, Set

from weyr.core.capability import TaskBody
from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.kinds.ml.endpoint.fields.batch import Batch
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
        how += _computing(spec, {target.local_name for target in targets})
        sources = tuple(target.source for target in targets)
        body = served_body(ref, spec, needs, folder, (*words, *how), sources)
    else:
        target = targets[0]
        files = Files(target.source, f"{target.local_name}/{target.version}", target.seal) if target.source else None
        body = program_body(ref, spec, needs, folder, target.local_name, files)
    return traced(body, spec.watch)


def _computing(spec: EndpointSpec, names: Set[str]) -> list[str]:
    """What the file says of batches and of memory; the server's own measure where it says nothing.

    A replica has the models of `names`: of a variant that is elsewhere it need not know.
    """
    # One word each: a value may begin with a dash.
    words = [f"--{flag}={value}" for flag, value in _batching(spec.batch, spec.concurrency).items()]
    for name in sorted(spec.per_model.keys() & names):
        own = spec.per_model[name]
        words += [f"--of={name}:{flag}={value}" for flag, value in _batching(own.batch, own.concurrency).items()]
    return words + ([f"--memory-max={spec.memory_max}"] if spec.memory_max is not None else [])


def _batching(batch: Batch | None, concurrency: int | None) -> dict[str, float]:
    """The flags of what is said."""
    said = {
        "batch-rows": batch.size if batch else None,
        "batch-delay": (batch.delay or None) if batch else None,
        "pad": batch.pad if batch else None,
        "threads": concurrency,
        "streams": concurrency,
    }
    return {flag: value for flag, value in said.items() if value is not None}
