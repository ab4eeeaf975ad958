"""What is each side of an endpoint to serve, as the file and its models say now? Pure."""

from collections.abc import Iterator, Sequence

from weyr.core.decision import View, Want
from weyr.core.schema import Reference
from weyr.kinds.ml.endpoint.body import replica_body
from weyr.kinds.ml.endpoint.look import Look
from weyr.kinds.ml.endpoint.memory import MAIN, SHADOW, EndpointMemory, Side
from weyr.kinds.ml.endpoint.revision import Revision, Target, key_of, name_of
from weyr.kinds.ml.endpoint.spec import EndpointSpec


def looked(want: Want[EndpointSpec], spec: EndpointSpec, view: View[EndpointMemory]) -> Look:
    """A look that knows what every side is to serve. One whose model has no version now serves what it served."""
    memory = view.memory or EndpointMemory()
    found: dict[str, Revision] = {}
    lacking: dict[str, str] = {}
    for name, models in models_of(spec):
        targets = [Target.of(model, want.ref.stack, view.needs) for model in models]
        # A program without a model of the registry is its own version: no number, and no files.
        targets = targets or [Target("", want.ref.name, 0, "")]
        missing = [str(model) for model, target in zip(models, targets, strict=False) if target is None]
        if missing:
            lacking[name] = ", ".join(missing)
        else:
            found[name] = _revision(
                want, spec, view, memory.side(name), list(dict.fromkeys(target for target in targets if target))
            )
    return Look(want, spec, view, found | _served_on(memory, lacking), lacking)


def models_of(spec: EndpointSpec) -> Iterator[tuple[str, Sequence[Reference]]]:
    """Each side that the file names, with the models that each of its replicas serves."""
    if spec.variants:
        yield from ((name, (variant.model,)) for name, variant in spec.variants.items())
    else:
        yield MAIN, ((spec.model,) if spec.model else spec.models)
    if spec.shadow:
        yield SHADOW, (spec.shadow.model,)


def serving(spec: EndpointSpec) -> list[str]:
    """The sides that answer."""
    return [name for name, _models in models_of(spec) if name != SHADOW]


def _revision(
    want: Want[EndpointSpec], spec: EndpointSpec, view: View[EndpointMemory], side: Side, targets: Sequence[Target]
) -> Revision:
    key = key_of(spec, targets)
    if side.revisions and side.wanted.key == key:
        return side.wanted  # it stays as it was begun, however the file reads: nothing of it is worked out anew
    body = replica_body(want.ref, spec, targets, view.needs, want.folder)
    return Revision(key, name_of(targets, want.generation), tuple(targets), body)


def _served_on(memory: EndpointMemory, lacking: dict[str, str]) -> dict[str, Revision]:
    return {side.name: side.wanted for side in memory.sides if side.name in lacking and side.revisions}
