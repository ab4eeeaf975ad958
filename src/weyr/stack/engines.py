"""What does a stack ask of its engine that it cannot do? Refused in the plan, so that nothing is ignored afterwards."""

from collections.abc import Iterator, Mapping

from weyr.core.capability import Capability
from weyr.core.diagnostic import Diagnostic, Severity
from weyr.core.engine import LOCAL, Engines
from weyr.core.kind import Kinds
from weyr.stack.stack import Stack, StackObject


def engine_findings(stack: Stack, kinds: Kinds, engines: Engines) -> list[Diagnostic]:
    """Everything there is to say about this stack on its engine."""
    if stack.on.engine == LOCAL:
        return []
    found: list[Diagnostic] = []
    lacks = engines[stack.on.engine].lacks
    for item in stack.objects.values():
        can = kinds[item.ref.kind].capabilities
        if Capability.TASKS not in can or Capability.TRAFFIC in can:
            continue  # nothing of it runs there
        found += _lacking(stack.on.engine, item, lacks)
    return found


def _lacking(engine: str, item: StackObject, lacks: Mapping[str, str]) -> Iterator[Diagnostic]:
    plain = item.spec.model_dump(mode="json", exclude_defaults=True)
    for name, reason in lacks.items():
        path = tuple(name.split("."))
        if _is_given(plain, item.spec, path):
            detail = f"{name}: {reason}, and a setting is never ignored."
            place = item.place_of(*path)
            yield Diagnostic("The engine cannot do this", detail, Severity.FATAL, place, str(item.ref), "on: local")


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
    return plain not in (None, False, 0, "", [], {})
