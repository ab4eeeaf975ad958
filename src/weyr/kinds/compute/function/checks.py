"""What is impossible or unwise in a function, though each of its fields is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal, shared_address
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.core.task_spec import SandboxPart
from weyr.kinds.compute.function.spec import FunctionSpec


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Functions without code, limits that contradict, letters in a circle, and uploads that call themselves."""
    for ref, spec in proposal.specs.items():
        if isinstance(spec, FunctionSpec):
            yield from shared_address(proposal, ref)
            yield from _code(ref, spec)
            yield from _letters(proposal, ref, spec)
            yield from _loops(ref, spec)
            yield from _letterbox(ref, spec)


def _code(ref: Ref, spec: FunctionSpec) -> Iterator[Finding]:
    if bool(spec.handler) == bool(spec.run):
        detail = f"{ref} needs either a handler or a command, and has {'both' if spec.run else 'neither'}."
        yield Finding(ref, ("handler",), Severity.FATAL, "No code, or two", detail, "handler: module:function")
    if spec.scale.warm > spec.scale.max:
        detail = f"{spec.scale.warm} instances kept warm and at most {spec.scale.max} cannot both hold."
        yield Finding(
            ref, ("scale", "max"), Severity.FATAL, "Limits that contradict", detail, f"max: {spec.scale.warm}"
        )
    if spec.handler and spec.python.version:
        detail = f"{ref} is called by a process of Weyr's own Python; a command may have another one."
        yield Finding(ref, ("python", "version"), Severity.FATAL, "A function in another Python", detail)
    if spec.image:
        detail = "A function's instances are forked from a process of Weyr's, which an image does not hold."
        yield Finding(ref, ("image",), Severity.FATAL, "A function in an image", detail)


def _letters(proposal: Proposal, ref: Ref, spec: FunctionSpec) -> Iterator[Finding]:
    """A letter whose own failure is told to whom it came from would go round for ever."""
    seen, at = {ref}, spec
    while at.dead_letters is not None:
        target = at.dead_letters.ref(ref.stack)
        if target in seen:
            detail = f"Letters of {ref} come back to {target}, and would go round for ever."
            yield Finding(ref, ("dead_letters",), Severity.FATAL, "Dead letters in a circle", detail)
            return
        seen.add(target)
        following = proposal.specs.get(target)
        if not isinstance(following, FunctionSpec):
            return
        at = following


def _loops(ref: Ref, spec: FunctionSpec) -> Iterator[Finding]:
    """A function that writes where an upload calls it may call itself for ever."""
    writes = {bucket.ref(ref.stack) for bucket in spec.writes}
    for index, trigger in enumerate(spec.objects):
        if trigger.bucket.ref(ref.stack) in writes and not trigger.prefix and not trigger.suffix:
            detail = f"{ref} writes to {trigger.bucket}, and everything that is written there calls it."
            path = ("objects", index, "prefix")
            yield Finding(ref, path, Severity.WARN, "A function that may call itself", detail, "prefix: incoming/")


def _letterbox(ref: Ref, spec: FunctionSpec) -> Iterator[Finding]:
    """Letters that cannot be written, and letters that are events of whom they are about."""
    box = spec.letterbox
    if box is None:
        return
    if isinstance(spec.sandbox, SandboxPart) and spec.sandbox.network == "none":
        detail = f"{ref} writes its letters to {box.bucket}, and its sandbox reaches no bucket."
        yield Finding(ref, ("letterbox",), Severity.FATAL, "A letterbox out of reach", detail, "network: local")
    for index, trigger in enumerate(spec.objects):
        is_same = trigger.bucket == box.bucket and "created" in trigger.events
        if is_same and box.prefix.startswith(trigger.prefix) and "0.json".endswith(trigger.suffix):
            detail = f"Each letter in {box.bucket} calls {ref}, and where that fails another one follows, for ever."
            path = ("objects", index, "prefix")
            yield Finding(ref, path, Severity.FATAL, "Letters that call whom they are about", detail, "prefix: in/")
