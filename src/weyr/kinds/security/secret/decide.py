"""What should happen to a secret next? Pure; the value itself never comes near."""

from dataclasses import replace
from typing import assert_never

from weyr.core.capability import Capability, SecretBody
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Release, Thing, View, Want
from weyr.core.seen import Absent, Present, SecretFacts, Unknown
from weyr.kinds.security.secret.spec import SecretSpec

VALUE = ""


def decide(want: Want[SecretSpec], view: View[None]) -> Decision[None]:
    """Draws a value where that is asked for; otherwise waits until somebody has set one."""
    thing = view.things.get(VALUE)
    if want.spec is None:
        return _remove(thing)
    ensure = Ensure(Capability.SECRETS, VALUE, SecretBody(want.spec.generate or 0), want.generation)
    if thing and thing.refusal and thing.generation >= want.generation:
        failed = Condition(ConditionType.FAILED, True, "Refused", thing.refusal)
        return Decision((replace(ensure, again=True),), (failed,), again_s=30)
    match thing.seen if thing else Absent():
        case Present(facts=SecretFacts(version=version)) if version:
            ready = Condition(ConditionType.READY, True, "Set", f"version {version}")
            return Decision((ensure,), (ready,), {"version": version})
        case Unknown(reason=reason):
            silent = Condition(ConditionType.READY, None, "EngineSilent", reason)
            return Decision((ensure,), (silent,), again_s=1)
        case Absent() | Present() if want.spec.generate:
            drawing = Condition(ConditionType.READY, False, "Drawing", "a value is being drawn")
            return Decision((ensure,), (drawing,), again_s=0.5)
        case Absent() | Present():
            missing = f"it has no value yet; set one with: weyr secret set {want.ref.stack}/{want.ref.name}"
            waiting = Condition(ConditionType.WAITING, True, "ValueMissing", missing)
            # A thing that is absent is asked for again; here it is absent until somebody sets it, so it is
            # asked for once in each generation.
            is_asked = thing is not None and thing.is_accepted and thing.generation >= want.generation
            return Decision(() if is_asked else (ensure,), (waiting,), again_s=2)
        case other:
            assert_never(other)


def _remove(thing: Thing | None) -> Decision[None]:
    if thing is None or thing.is_gone:
        return Decision(forget=True)
    text = f"it cannot be deleted: {thing.refusal}" if thing.refusal else "the value is being deleted"
    return Decision((Release(VALUE),), (Condition(ConditionType.READY, False, "Deleting", text),), again_s=0.5)
