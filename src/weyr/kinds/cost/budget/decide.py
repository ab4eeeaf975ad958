"""What should a budget do about what was spent? Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from weyr.core.decision import Condition, ConditionType, Decision, Hold, Note, Release, Spend, Thing, View, Want
from weyr.core.ref import Ref
from weyr.core.units import HOUR_S, money_text
from weyr.kinds.cost.budget.alerts import Alert, late, notices, old, sentence
from weyr.kinds.cost.budget.limit import limit_of, whom
from weyr.kinds.cost.budget.spec import BudgetSpec

LOOK_AGAIN_S = 2.0
"""How often spending is compared with the limit: the most that a stop can come late."""

SOON_S = 0.05
"""Nearer to the limit than this nothing is gained by looking again."""


@dataclass(frozen=True, slots=True)
class BudgetMemory:
    """The period and limit it last looked at, and what it has alerted for under them: shares that were spent, and those
    that were forecast, which was above since `forecast_since`."""

    period: str = ""
    alerted: tuple[float, ...] = ()
    is_stopping: bool = False
    does: str = ""
    """What it asked for while it was stopping, as `then` says."""
    limit_micros: int = 0
    forecast: tuple[float, ...] = ()
    forecast_since: float | None = None


def decide(want: Want[BudgetSpec], view: View[BudgetMemory]) -> Decision[BudgetMemory]:
    """Alerts once per share and period; past the limit, holds all that is in its reach, as `then` says."""
    live = {part: thing for part, thing in view.things.items() if not thing.is_gone}
    if want.spec is None:
        return _remove(live, view.memory)
    spec, memory = want.spec, view.memory or BudgetMemory()
    if view.spend is None:
        return _unknown(want.ref, spec, memory)
    spend, limit = view.spend, spec.limit.micros
    if (memory.period, memory.limit_micros) != (spend.period, limit):
        memory = replace(memory, period=spend.period, limit_micros=limit, alerted=(), forecast=(), forecast_since=None)
    passed = tuple(share for share in sorted(set(spec.alert_at)) if spend.micros >= round(share * limit))
    since, foreseen = _foreseen(spec, spend, memory, view.now)
    alerts = [Alert(share) for share in passed] + [Alert(share, True) for share in foreseen]
    told = {Alert(share).key for share in memory.alerted} | {Alert(share, True).key for share in memory.forecast}
    holds = _holds(want.ref, spec, spend) if spend.micros >= limit else ()
    # What a correction took back below a share does not alert again when it is passed once more.
    after = replace(
        memory,
        alerted=tuple(dict.fromkeys([*memory.alerted, *passed])),
        forecast=tuple(dict.fromkeys([*memory.forecast, *foreseen])),
        forecast_since=since,
        is_stopping=bool(holds),
        does=spec.then if holds else "",
    )
    return Decision(
        actions=(
            *(action for alert in alerts for action in notices(want.ref, spec, spend, alert, live)),
            *old(spec, view.things, spend.period),
        ),
        conditions=(_condition(spec, spend, live),),
        outputs=_outputs(want.ref, spec, spend, bool(holds)),
        memory=after,
        holds=holds,
        notes=(
            *(Note("budget.alert", sentence(want.ref, spec, spend, a)) for a in alerts if a.key not in told),
            *_turns(want.ref, spec, memory, bool(holds)),
        ),
        again_s=_again_s(spec, spend),
    )


def _foreseen(
    spec: BudgetSpec, spend: Spend, memory: BudgetMemory, now: float
) -> tuple[float | None, tuple[float, ...]]:
    """Since when the forecast has been above its share, and the share once it was for long enough."""
    share = spec.alert_forecast
    if share is None or spend.forecast_micros <= round(share * spec.limit.micros):
        return None, memory.forecast
    # A clock that was set back begins the wait anew.
    since = now if memory.forecast_since is None or memory.forecast_since > now else memory.forecast_since
    is_steady = now - since >= spec.forecast_for
    return since, tuple(dict.fromkeys([*memory.forecast, *((share,) if is_steady else ())]))


def _again_s(spec: BudgetSpec, spend: Spend) -> float:
    """At the moment when the limit will be reached, if all runs on as it does now; at the latest after a while."""
    left = spec.limit.micros - spend.micros
    if left <= 0 or not spend.rate_micros_per_hour:
        return LOOK_AGAIN_S
    return min(LOOK_AGAIN_S, max(SOON_S, left * HOUR_S / spend.rate_micros_per_hour))


def _turns(ref: Ref, spec: BudgetSpec, memory: BudgetMemory, is_stopping: bool) -> tuple[Note, ...]:
    """What begins or ends with this look; who asks for something else while the limit is spent is told that, too."""
    does = {"block": "nothing new begins", "floor": "what runs goes down to its fewest", "drain": "what runs ends",
            "stop": "everything that costs is stopped"}  # fmt: skip
    is_other = bool(memory.does) and memory.does != spec.then
    if is_stopping and (is_other or not memory.is_stopping):
        return (Note(f"budget.{spec.then}", f"{ref} is spent: {does[spec.then]} ({whom(limit_of(ref, spec).reach)})"),)
    if memory.is_stopping and not is_stopping:
        return (Note("budget.resume", f"{ref} allows spending again: what was held goes on"),)
    return ()


def _holds(ref: Ref, spec: BudgetSpec, spend: Spend) -> tuple[Hold, ...]:
    # No running figure in it: everybody looks again whenever a hold changes.
    limit = limit_of(ref, spec)
    return (
        (Hold(ref, f"{ref} is spent: {spec.limit} in {spend.period}", limit.does, limit.reach),) if limit.does else ()
    )


def _unknown(ref: Ref, spec: BudgetSpec, memory: BudgetMemory) -> Decision[BudgetMemory]:
    """What is spent is not known just now; a stop stays a stop."""
    silent = Condition(ConditionType.READY, None, "SpendUnknown", "what it has cost is not known just now")
    limit, reason = limit_of(ref, spec), f"{ref} was spent when its spending was last known"
    holds = (Hold(ref, reason, limit.does, limit.reach),) if memory.is_stopping and limit.does else ()
    return Decision((), (silent,), memory=memory, holds=holds, again_s=LOOK_AGAIN_S)


def _remove(live: Mapping[str, Thing], memory: BudgetMemory | None) -> Decision[BudgetMemory]:
    if not live:
        return Decision(forget=True)
    clearing = Condition(ConditionType.READY, False, "Removing", "its alerts are being cleared away")
    return Decision(tuple(Release(part) for part in live), (clearing,), memory=memory, again_s=0.5)


def _outputs(ref: Ref, spec: BudgetSpec, spend: Spend, is_stopping: bool) -> dict[str, str | int | float | bool]:
    return {
        "of": whom(limit_of(ref, spec).reach),
        "limit_micros": spec.limit.micros,
        "spent_micros": spend.micros,
        "reserved_micros": spend.reserved_micros,
        "left_micros": spec.limit.micros - spend.micros - spend.reserved_micros,
        "forecast_micros": spend.forecast_micros,
        "currency": spec.limit.currency,
        "period": spend.period,
        "ends_at": spend.ends_at,
        "then": spec.then,
        "alert_at": ", ".join(f"{share:.6g}" for share in sorted(set(spec.alert_at))),
        "stopping": is_stopping,
    }


def _condition(spec: BudgetSpec, spend: Spend, live: Mapping[str, Thing]) -> Condition:
    text = f"{money_text(spend.micros)} of {spec.limit} spent in {spend.period}"
    if spend.reserved_micros:
        text += f", {money_text(spend.reserved_micros)} set aside"
    undelivered, why = late(live, spend.period)
    if undelivered:
        text += f"; {undelivered} alert{'s have' if undelivered > 1 else ' has'} not been delivered yet"
        text += f" ({'; '.join(why)})" if why else ""
    is_over = spend.micros >= spec.limit.micros
    return Condition(ConditionType.READY, True, "Spent" if is_over else "Watching", text)
