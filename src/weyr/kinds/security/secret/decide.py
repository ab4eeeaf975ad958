"""What should happen to a secret next? Pure; the value itself never comes near."""

from typing import assert_never

from weyr.core.capability import Capability, SecretBody
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Release, View, Want
from weyr.core.seen import Absent, Present, SecretFacts, Unknown
from weyr.kinds.security.secret.spec import SecretSpec

VALUE = ""


def decide(want: Want[SecretSpec], view: View[None]) -> Decision[None]:
    """Draws a value where that is asked for; otherwise waits until somebody has set one."""
    thing = view.things.get(VALUE)
    if want.spec is None:
        if thing is None or isinstance(thing.seen, Absent):
            return Decision(forget=True)
        deleting = Condition(ConditionType.READY, False, "Deleting", "the value is being deleted")
        return Decision((Release(VALUE),), (deleting,), again_s=0.5)
    ensure = Ensure(Capability.SECRETS, VALUE, SecretBody(want.spec.generate or 0), want.generation)
    match thing.seen if thing else Unknown():
        case Present(facts=SecretFacts(version=version)):
            ready = Condition(ConditionType.READY, True, "Set", f"version {version}")
            return Decision((ensure,), (ready,), {"version": version})
        case Unknown(reason=reason):
            silent = Condition(ConditionType.READY, None, "EngineSilent", reason)
            return Decision((ensure,), (silent,), again_s=1)
        case Absent() if want.spec.generate:
            drawing = Condition(ConditionType.READY, False, "Drawing", "a value is being drawn")
            return Decision((ensure,), (drawing,), again_s=0.5)
        case Absent() | Present():
            missing = f"it has no value yet; set one with: weyr secret set {want.ref.name} --stack {want.ref.stack}"
            return Decision((ensure,), (Condition(ConditionType.WAITING, True, "ValueMissing", missing),), again_s=2)
        case other:
            assert_never(other)
