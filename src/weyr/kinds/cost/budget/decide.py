"""What should a budget do about what was spent? Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    Thing,
    View,
    Want,
)
from weyr.core.ref import Ref
from weyr.core.seen import NoticeFacts, Present
from weyr.core.units import MICROS, money_text
from weyr.kinds.cost.budget.spec import BudgetSpec

LOOK_AGAIN_S = 2.0
"""How often spending is compared with the limit: the most that a stop can come late."""


@dataclass(frozen=True, slots=True)
class BudgetMemory:
    """The month and limit it last looked at, and the shares it has alerted for under them."""

    period: str = ""
    alerted: tuple[float, ...] = ()
    is_stopping: bool = False
    limit_micros: int = 0


def decide(want: Want[BudgetSpec], view: View[BudgetMemory]) -> Decision[BudgetMemory]:
    """Alerts once per share and month; past the limit, with `then: stop`, holds the whole stack."""
    live = {part: thing for part, thing in view.things.items() if not thing.is_gone}
    if want.spec is None:
        return _remove(live, view.memory)
    memory = view.memory or BudgetMemory()
    if view.spend is None:
        return _unknown(want.ref, memory)
    spend, limit = view.spend, want.spec.limit.micros
    was_alerted = memory.alerted if (memory.period, memory.limit_micros) == (spend.period, limit) else ()
    passed = tuple(share for share in sorted(set(want.spec.alert_at)) if spend.micros >= round(share * limit))
    fresh = tuple(share for share in passed if share not in was_alerted)
    is_over = spend.micros >= limit
    is_stopping = is_over and want.spec.then == "stop"
    alerts = [_alert(want.ref, want.spec, spend, share) for share in passed]
    refused = {part for part, thing in live.items() if thing.refusal}
    return Decision(
        actions=(
            *(replace(alert, again=alert.part in refused) for alert in alerts),
            *_old_alerts(view.things, spend.period),
        ),
        conditions=(_condition(want.spec, spend, is_over, live),),
        outputs={
            "spent_micros": spend.micros,
            "limit_micros": limit,
            "period": spend.period,
            "forecast_micros": spend.forecast_micros,
            "stopping": is_stopping,
        },
        # What a correction took back below a share does not alert again when it is passed once more.
        memory=BudgetMemory(spend.period, (*was_alerted, *fresh), is_stopping, limit),
        holds=(_hold(want.ref, want.spec, spend.period),) if is_stopping else (),
        notes=(
            *(Note("budget.alert", _sentence(want.ref, want.spec, spend, share)) for share in fresh),
            *_turns(want.ref, memory.is_stopping, is_stopping),
        ),
        again_s=LOOK_AGAIN_S,
    )


def _turns(ref: Ref, was_stopping: bool, is_stopping: bool) -> tuple[Note, ...]:
    if is_stopping and not was_stopping:
        return (Note("budget.stop", f"{ref} is spent: everything in the stack that costs is stopped"),)
    if was_stopping and not is_stopping:
        return (Note("budget.resume", f"{ref} allows spending again: what was stopped goes on"),)
    return ()


def _hold(ref: Ref, spec: BudgetSpec, period: str) -> Hold:
    # No running figure in it: the whole stack looks again whenever a hold changes.
    return Hold(ref, f"{ref} is spent: {spec.limit} in {period}")


def _unknown(ref: Ref, memory: BudgetMemory) -> Decision[BudgetMemory]:
    """What is spent is not known just now; a stop stays a stop."""
    silent = Condition(ConditionType.READY, None, "SpendUnknown", "what the stack has cost is not known just now")
    holds = (Hold(ref, f"{ref} was spent when its spending was last known"),) if memory.is_stopping else ()
    return Decision((), (silent,), memory=memory, holds=holds, again_s=LOOK_AGAIN_S)


def _remove(live: Mapping[str, Thing], memory: BudgetMemory | None) -> Decision[BudgetMemory]:
    if not live:
        return Decision(forget=True)
    clearing = Condition(ConditionType.READY, False, "Removing", "its alerts are being cleared away")
    return Decision(tuple(Release(part) for part in live), (clearing,), memory=memory, again_s=0.5)


def _old_alerts(things: Mapping[str, Thing], period: str) -> tuple[Release, ...]:
    """Alerts of months before, once they reached whom they were for: they would pile up for ever."""
    return tuple(
        Release(part) for part, thing in things.items() if not part.startswith(f"{period}-") and _is_done_with(thing)
    )


def _is_done_with(thing: Thing) -> bool:
    match thing.seen:
        case Present(facts=NoticeFacts(delivered=is_delivered)):
            return is_delivered
        case _:
            return thing.is_released or thing.is_gone or bool(thing.refusal)


def _condition(spec: BudgetSpec, spend: Spend, is_over: bool, live: Mapping[str, Thing]) -> Condition:
    text = f"{money_text(spend.micros)} of {spec.limit} spent in {spend.period}"
    late = [part for part, thing in live.items() if part.startswith(f"{spend.period}-") and _is_late(thing)]
    if late:
        text += f"; {len(late)} alert{'s have' if len(late) > 1 else ' has'} not reached the webhook yet"
    return Condition(ConditionType.READY, True, "Spent" if is_over else "Watching", text)


def _is_late(thing: Thing) -> bool:
    match thing.seen:
        case Present(facts=NoticeFacts(delivered=is_delivered)):
            return not is_delivered
        case _:
            return bool(thing.refusal)


def _alert(ref: Ref, spec: BudgetSpec, spend: Spend, share: float) -> Ensure:
    details = {
        "budget": ref.absolute,
        "period": spend.period,
        "share": f"{share:.0%}",
        "limit": str(spec.limit),
        "spent": f"{spend.micros / MICROS:.6f} {spec.limit.currency}",
    }
    body = NoticeBody(_sentence(ref, spec, spend, share), spec.webhook or "", details)
    # Another limit is another alert: half of 400 is news, although half of 200 was told.
    return Ensure(Capability.NOTICES, f"{spend.period}-{spec.limit.micros}-{share:.6g}", body, generation=1)


def _sentence(ref: Ref, spec: BudgetSpec, spend: Spend, share: float) -> str:
    return f"{ref}: {share:.0%} of {spec.limit} is spent in {spend.period} ({money_text(spend.micros)})"
