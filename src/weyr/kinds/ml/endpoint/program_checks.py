"""What can a replica's program not be, though each of its fields is right? Told in the plan, before anything runs."""

from collections.abc import Iterator

from weyr.core.checking import Finding
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.core.units import size_text
from weyr.kinds.ml.endpoint.engines import ENGINES, Engine
from weyr.kinds.ml.endpoint.fields.program import ProgramSpec

OURS_ONLY: tuple[str, ...] = ("handler", "batch", "concurrency", "per_model", "memory_max")
"""Fields that only Weyr's own model server honours."""


def program_findings(ref: Ref, spec: ProgramSpec, has_model: bool) -> Iterator[Finding]:
    """Contradictions in what is to run, and fields that what runs cannot honour."""

    def fatal(field: str, summary: str, detail: str, suggestion: str = "") -> Finding:
        return Finding(ref, (field,), Severity.FATAL, summary, detail, suggestion)

    if spec.run is not None and spec.engine:
        yield fatal("engine", "Two programs", f"{ref} has a command and an engine, and a replica runs one of them.")
    elif spec.engine:
        yield from _of_engine(ref, spec, ENGINES[spec.engine], has_model)
    elif not has_model and spec.run is None:
        detail = f"{ref} names no model, no command and no engine."
        yield fatal("model", "Nothing to serve", detail, "model: NAME")
    if not spec.engine and (spec.weights or spec.args):
        field = "weights" if spec.weights else "args"
        yield fatal(field, "An engine's field without an engine", f"{ref} has {field}, and no engine to give them to.")
    if spec.run is None and spec.listens == "socket":
        detail = f"{ref} runs no command of its own, which alone may listen at a Unix socket."
        yield fatal("listens", "A socket without a command", detail)
    elif spec.listens == "socket" and spec.ready is None:
        detail = f"{ref} listens at a Unix socket, where only an answer tells that it can serve: name a path."
        yield fatal("ready", "Nothing to ask", detail, "ready: /healthz")
    if spec.run is None and spec.engine is None:
        yield from _of_ours(ref, spec)
    else:
        yield from _not_ours(ref, spec, has_model)


def _of_ours(ref: Ref, spec: ProgramSpec) -> Iterator[Finding]:
    """Weyr's own server is where Weyr's own Python is, and knows by itself when it is ready."""
    reasons = {
        "image": "Weyr's own model server, which an image does not hold; give a command or an engine",
        "ready": "Weyr's own model server, which is ready when its model is",
    }
    for field in sorted(reasons.keys() & spec.model_fields_set):
        if getattr(spec, field):
            yield Finding(
                ref, (field,), Severity.FATAL, "A field that cannot be honoured", f"{ref} runs {reasons[field]}."
            )
    room = spec.resources.memory
    if spec.memory_max and room and spec.memory_max > room:
        detail = f"{ref}: its models may take more than the whole replica, which may take {size_text(room)}."
        yield Finding(ref, ("memory_max",), Severity.FATAL, "Limits that contradict", detail)
    if spec.python.version:
        detail = f"{ref} runs Weyr's own model server on Weyr's own Python; a command may have another one."
        yield Finding(ref, ("python", "version"), Severity.FATAL, "A field that cannot be honoured", detail)


def _not_ours(ref: Ref, spec: ProgramSpec, has_model: bool) -> Iterator[Finding]:
    who = ENGINES[spec.engine].title if spec.engine else "Its own command"
    for field in OURS_ONLY:
        if field in spec.model_fields_set:
            detail = f"{ref}: {who} does not take {field}, which Weyr's own model server does; say it in its arguments."
            yield Finding(ref, (field,), Severity.FATAL, "A field that cannot be honoured", detail)
    if spec.image and has_model:
        detail = f"{ref}: the model's files are brought by Weyr's Python, which the image does not hold."
        yield Finding(ref, ("image",), Severity.FATAL, "Files out of an image's reach", detail)
    if spec.image and spec.listens == "socket":
        detail = f"{ref} runs in an image, and is spoken to at a port there."
        yield Finding(ref, ("listens",), Severity.FATAL, "A field that cannot be honoured", detail, "listens: port")


def _of_engine(ref: Ref, spec: ProgramSpec, engine: Engine, has_model: bool) -> Iterator[Finding]:
    if not has_model and spec.weights is None:
        detail = f"{ref}: say what {engine.title} is to load, a model of the registry or weights."
        yield Finding(ref, ("weights",), Severity.FATAL, "Nothing to load", detail)
    if spec.weights and not has_model and not engine.takes_hub and not spec.weights.startswith(("/", "./", "../")):
        detail = f"{ref}: {engine.title} loads from a folder, and {spec.weights!r} is no path."
        yield Finding(ref, ("weights",), Severity.FATAL, "Weights that the engine cannot load", detail)
    flags = [word.partition("=")[0] for word in spec.args]
    for index, flag in enumerate(flags):
        if flag in engine.ours:
            detail = f"{ref}: {flag} is written by Weyr, which has to know it."
            yield Finding(ref, ("args", index), Severity.FATAL, "An argument that is Weyr's", detail)
    given = spec.resources.accelerators
    if given is None and engine.needs_device:
        detail = f"{ref}: {engine.title} is asked for without an accelerator; its usual builds do not start then."
        yield Finding(ref, ("engine",), Severity.WARN, "An engine without an accelerator", detail, "accelerators: 1")
    elif given and not given.count and not given.profile and engine.room and engine.room not in flags:
        detail = f"{ref}: {engine.title} takes most of a whole device, and is to have a part of one; say how much."
        suggestion = f"args: [{engine.room}, SHARE]"
        yield Finding(ref, ("args",), Severity.FATAL, "More of a device than was asked for", detail, suggestion)
    if spec.engine == "tensorflow-serving":
        detail = f"{ref}: TensorFlow Serving listens on every address of the machine, and asks nobody for a token."
        yield Finding(ref, ("engine",), Severity.WARN, "A server that others can reach", detail)
