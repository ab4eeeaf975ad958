"""What should happen to a commitment next? Nothing is done: it was bought elsewhere. It counts until its term ends."""

from weyr.core.decision import Condition, ConditionType, Decision, Scalar, View, Want
from weyr.core.units import DAY_S, money_text
from weyr.kinds.cost.commitment.spec import CommitmentSpec
from weyr.kinds.cost.commitment.terms import ends_at, fee_micros_per_hour

LOOK_AGAIN_S = 60.0
"""Its fee is posted by the minute, and once an hour what it covered."""


def decide(want: Want[CommitmentSpec], view: View[None]) -> Decision[None]:
    if want.spec is None:
        return Decision(forget=True)
    spec, left_s = want.spec, ends_at(want.spec) - view.now
    outputs: dict[str, Scalar] = {
        "fee_micros_per_hour": fee_micros_per_hour(spec),
        "currency": spec.hourly.currency,
        "covers": ", ".join(spec.covers),
        "until": spec.until,
    }
    if left_s <= 0:
        ended = Condition(ConditionType.COMPLETE, True, "Ended", f"its term ended on {spec.until}")
        return Decision((), (ended,), outputs=outputs)
    said = f"{money_text(fee_micros_per_hour(spec))} per hour until {spec.until}, for {', '.join(spec.covers)}"
    ready = Condition(ConditionType.READY, True, "Binding", said)
    return Decision((), (ready,), outputs=outputs, again_s=min(LOOK_AGAIN_S, left_s, DAY_S))
