"""What should a budget do about what was spent? Pure."""

from dataclasses import dataclass

from weyr.core.capability import Capability, NoticeBody
from weyr.core.decision import (
    Condition,
    ConditionType,
    Decision,
    Ensure,
    Hold,
    Note,
    Release,
    Spend,
    View,
    Want,
)
from weyr.core.ref import Ref
from weyr.core.seen import Absent
from weyr.core.units import MICROS, money_text
from weyr.kinds.cost.budget.spec import BudgetSpec

LOOK_AGAIN_S = 2.0
"""How often spending is compared with the limit: the most that a stop can come late."""


@dataclass(frozen=True, slots=True)
class BudgetMemory:
    """The month it last looked at, and the shares it has alerted for in it."""

    period: str = ""
    alerted: tuple[float, ...] = ()
    is_stopping: bool = False


def decide(want: Want[BudgetSpec], view: View[BudgetMemory]) -> Decision[BudgetMemory]:
    """Alerts once per share and month; past the limit, with `then: stop`, holds the whole stack."""
    old_alerts = tuple(Release(part) for part, thing in view.things.items() if not isinstance(thing.seen, Absent))
    if want.spec is None:
        return Decision(old_alerts, again_s=0.5) if old_alerts else Decision(forget=True)
    spend = view.spend or Spend(0, "")
    memory = view.memory if view.memory and view.memory.period == spend.period else BudgetMemory(spend.period)
    limit = want.spec.limit.micros
    passed = tuple(share for share in sorted(want.spec.alert_at) if spend.micros >= share * limit)
    fresh = tuple(share for share in passed if share not in memory.alerted)
    is_over = spend.micros >= limit
    is_stopping = is_over and want.spec.then == "stop"
    alerts = tuple(_alert(want, spend, share) for share in passed)
    notes = tuple(Note("budget.alert", _sentence(want.ref, want.spec, spend, share)) for share in fresh)
    if is_stopping and not memory.is_stopping:
        notes = (*notes, Note("budget.stop", f"{want.ref} is spent: everything in the stack that costs is stopped"))
    reason = f"{want.ref} is spent: {money_text(spend.micros)} of {want.spec.limit}"
    return Decision(
        actions=alerts,
        conditions=(_condition(want, spend, is_over),),
        outputs={
            "spent_micros": spend.micros,
            "limit_micros": limit,
            "period": spend.period,
            "forecast_micros": spend.forecast_micros,
            "stopping": is_stopping,
        },
        memory=BudgetMemory(spend.period, passed, is_stopping),
        holds=(Hold(want.ref, reason),) if is_stopping else (),
        notes=notes,
        again_s=LOOK_AGAIN_S,
    )


def _condition(want: Want[BudgetSpec], spend: Spend, is_over: bool) -> Condition:
    assert want.spec is not None
    text = f"{money_text(spend.micros)} of {want.spec.limit} spent in {spend.period or 'this month'}"
    return Condition(ConditionType.READY, True, "Spent" if is_over else "Watching", text)


def _alert(want: Want[BudgetSpec], spend: Spend, share: float) -> Ensure:
    assert want.spec is not None
    details = {
        "budget": want.ref.absolute,
        "period": spend.period,
        "share": f"{share:.0%}",
        "limit": str(want.spec.limit),
        "spent": f"{spend.micros / MICROS:.6f} {want.spec.limit.currency}",
    }
    body = NoticeBody(_sentence(want.ref, want.spec, spend, share), want.spec.webhook or "", details)
    return Ensure(Capability.NOTICES, f"{spend.period}-{share:.6g}", body, generation=1)


def _sentence(ref: Ref, spec: BudgetSpec, spend: Spend, share: float) -> str:
    return f"{ref}: {share:.0%} of {spec.limit} is spent in {spend.period} ({money_text(spend.micros)})"
