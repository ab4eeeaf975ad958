"""What does a stack ask of its engine that it cannot do? Refused in the plan, so that nothing is ignored afterwards."""

from collections.abc import Iterator, Mapping

from weyr.core.capability import Capability
from weyr.core.diagnostic import Diagnostic, Severity
from weyr.core.engine import LOCAL, EngineKind, Engines, On
from weyr.core.kind import Kinds
from weyr.core.powers import CHOSEN, WRITTEN
from weyr.core.schema import Reference
from weyr.stack.stack import Stack, StackObject


def engine_findings(stack: Stack, kinds: Kinds, engines: Engines) -> list[Diagnostic]:
    """Everything there is to say about this stack on its engine."""
    found = [each for item in stack.objects.values() for each in _of_other_nodes(item, stack, kinds)]
    if stack.on.engine == LOCAL:
        return found
    engine = engines[stack.on.engine]
    needs = {field: name for field, name in engine.needs.items() if not stack.on.settings.get(name)}
    for item in stack.objects.values():
        can = kinds[item.ref.kind].capabilities
        if Capability.TASKS not in can or Capability.TRAFFIC in can:
            continue  # nothing of it runs there
        found += _lacking(item, _refused(engine, is_in_pool=bool(getattr(item.spec, "pool", None))), "on: local")
        found += _of_no_pool(item, stack.on)
        for field, name in needs.items():
            reason = f"{engine.name} does this only where its setting {name} is given"
            found += _lacking(item, {field: reason}, f"on: {{{engine.name}: {{{name}: NAME}}}}")
    return found


def _refused(engine: EngineKind, is_in_pool: bool) -> dict[str, str]:
    """The fields that it cannot honour, each with why. Among the nodes of a pool Weyr chooses, not the engine."""
    powers = engine.powers | CHOSEN if is_in_pool else engine.powers
    reason = f"{engine.name} does not do this"
    return {name: engine.lacks.get(power, reason) for name, power in WRITTEN.items() if power not in powers}


def _of_other_nodes(item: StackObject, stack: Stack, kinds: Kinds) -> Iterator[Diagnostic]:
    """A pool's nodes are made here, or are those of the cluster that the stack is on: another one nobody has named. And
    what answers requests behind a plane runs beside it."""
    on, can = getattr(item.spec, "on", LOCAL), kinds[item.ref.kind].capabilities
    if Capability.NODES in can and on not in (LOCAL, stack.on.engine):
        detail = f"{item.ref} has the nodes of {on}, and its stack is on {stack.on.engine}: nothing says which {on}."
        yield Diagnostic(
            "Nodes of another engine", detail, Severity.FATAL, item.place_of("on"), str(item.ref), f"on: {on}"
        )
    pool = getattr(item.spec, "pool", None)
    nodes = stack.objects.get(pool.ref(stack.name)) if isinstance(pool, Reference) else None
    if nodes is not None and Capability.TRAFFIC in can and getattr(nodes.spec, "on", LOCAL) != LOCAL:
        detail = f"{item.ref} answers requests, which reach this machine's tasks only, and {nodes.ref} is a cluster's."
        yield Diagnostic(
            "A cluster's nodes are out of reach", detail, Severity.FATAL, item.place_of("pool"), str(item.ref)
        )


def _of_no_pool(item: StackObject, on: On) -> Iterator[Diagnostic]:
    """What is counted and chosen by node holds only where nodes are known: in a pool of the cluster's."""
    if getattr(item.spec, "pool", None) is not None:
        return
    suggestion = f"pool: NAME, with pools: {{NAME: {{on: {on.engine}}}}}"
    asked = getattr(getattr(item.spec, "resources", None), "accelerators", None)
    if asked and getattr(item.spec, "queue", None) is not None:
        detail = f"{item.ref} asks {on.engine} for devices, which a queue can count only on the nodes of a pool."
        place = item.place_of("queue")
        yield Diagnostic("A queue that cannot count", detail, Severity.FATAL, place, str(item.ref), suggestion)


def _lacking(item: StackObject, lacks: Mapping[str, str], suggestion: str) -> Iterator[Diagnostic]:
    plain = item.spec.model_dump(mode="json", exclude_defaults=True)
    for name, reason in lacks.items():
        path = tuple(name.split("."))
        if _is_given(plain, item.spec, path):
            detail = f"{name}: {reason}, and a setting is never ignored."
            place = item.place_of(*path)
            yield Diagnostic("The engine cannot do this", detail, Severity.FATAL, place, str(item.ref), suggestion)


def _is_given(plain: object, value: object, path: tuple[str, ...]) -> bool:
    """Takes a spec as plain values without defaults, and itself: `H100:0.5` is one text, and has a share."""
    for part in path:
        value = getattr(value, part, None)
        if isinstance(plain, dict):
            if part not in plain:
                return False
            plain = plain[part]
        else:
            plain = value
    # {} is a part with nothing but defaults, as `sandbox: true` is, where having none would be the default.
    return plain not in (None, False, 0, "", [])
