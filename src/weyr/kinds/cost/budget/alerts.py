"""What does a budget tell, and to whom? One notice for each alert and receiver, once a period and limit. Pure."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weyr.core.capability import Capability, Channel, NoticeBody
from weyr.core.decision import Ensure, Release, Spend, Thing
from weyr.core.ref import Ref
from weyr.core.seen import NoticeFacts, Present
from weyr.core.units import MICROS, money_text
from weyr.kinds.cost.budget.spec import BudgetSpec, Notify


@dataclass(frozen=True, slots=True)
class Alert:
    """A share of the limit that is spent, or that the period is forecast to end at."""

    share: float
    is_forecast: bool = False

    @property
    def key(self) -> str:
        return f"{'f' if self.is_forecast else ''}{self.share:.6g}"


def sentence(ref: Ref, spec: BudgetSpec, spend: Spend, alert: Alert) -> str:
    if alert.is_forecast:
        where = f"{spend.period} is forecast to end at {money_text(spend.forecast_micros)}"
        return f"{ref}: {where}, above {alert.share:.0%} of {spec.limit} ({money_text(spend.micros)} spent so far)"
    return f"{ref}: {alert.share:.0%} of {spec.limit} is spent in {spend.period} ({money_text(spend.micros)})"


def notices(ref: Ref, spec: BudgetSpec, spend: Spend, alert: Alert, things: Mapping[str, Thing]) -> Iterator[Ensure]:
    """Each receiver's notice of an alert. One whose engine refused it is said again."""
    details = {
        "budget": ref.absolute,
        "period": spend.period,
        "alert": "forecast" if alert.is_forecast else "spent",
        "share": f"{alert.share:.0%}",
        "limit": str(spec.limit),
        "spent": _exact(spend.micros, spec),
        "reserved": _exact(spend.reserved_micros, spec),
        "forecast": _exact(spend.forecast_micros, spec),
        "then": spec.then,
    }
    # Out of its stack's story it needs the stack's name: a channel hears of many budgets that are called month.
    text = f"{ref.stack}: {sentence(ref, spec, spend, alert)}"
    # Another limit is another alert: half of 400 is news, although half of 200 was told.
    key = f"{_period(spend.period)}{spec.limit.micros}-{alert.key}"
    bodies = {key: NoticeBody(text, details)} if not spec.notify else {}
    for receiver in spec.notify:
        bodies[f"{key}{receiver_key(receiver)}"] = _body(ref, receiver, text, details)
    for part, body in bodies.items():
        thing = things.get(part)
        yield Ensure(Capability.NOTICES, part, body, generation=1, again=bool(thing and thing.refusal))


def receiver_key(receiver: Notify) -> str:
    """Who it is, by its content: a receiver that is mended is another one and is told, one that only moved is not."""
    words = (receiver.channel, receiver.email, receiver.webhook, receiver.secret, receiver.sender)
    return f"-to-{hashlib.sha256(repr(words).encode()).hexdigest()[:8]}"


def old(spec: BudgetSpec, things: Mapping[str, Thing], period: str) -> tuple[Release, ...]:
    """What nobody waits for: alerts of periods before, once they reached whom they were for (they would pile up for
    ever), and those for a receiver that was taken out of the file."""
    known = tuple(receiver_key(receiver) for receiver in spec.notify)
    return tuple(
        Release(part)
        for part, thing in things.items()
        if (not part.startswith(_period(period)) and _is_done_with(thing))
        or ("-to-" in part and not part.endswith(known or "\0"))
    )


def late(things: Mapping[str, Thing], period: str) -> tuple[int, tuple[str, ...]]:
    """How many of the period's alerts have not reached whom they are for, and why."""
    ours = [thing for part, thing in things.items() if part.startswith(_period(period)) and _is_late(thing)]
    return len(ours), tuple(sorted({problem for thing in ours if (problem := _problem(thing))}))


def _period(period: str) -> str:
    """How a part of it begins; the stop keeps 2026-11 apart from 2026-11-26."""
    return f"{period}."


def _body(ref: Ref, receiver: Notify, text: str, details: Mapping[str, str]) -> NoticeBody:
    to = receiver.email or receiver.webhook or ""
    secret = receiver.secret.ref(ref.stack) if receiver.secret else None
    sender = receiver.sender if receiver.channel is Channel.EMAIL else ""
    return NoticeBody(text, details, receiver.channel, to, sender, secret)


def _exact(micros: int, spec: BudgetSpec) -> str:
    whole, rest = divmod(micros, MICROS)
    return f"{whole}.{rest:06d} {spec.limit.currency}"


def _is_done_with(thing: Thing) -> bool:
    match thing.seen:
        case Present(facts=NoticeFacts(delivered=is_delivered)):
            return is_delivered
        case _:
            return thing.is_released or thing.is_gone or bool(thing.refusal)


def _is_late(thing: Thing) -> bool:
    match thing.seen:
        case Present(facts=NoticeFacts(delivered=is_delivered)):
            return not is_delivered
        case _:
            return bool(thing.refusal)


def _problem(thing: Thing) -> str:
    match thing.seen:
        case Present(facts=NoticeFacts(problem=problem)):
            return problem
        case _:
            return thing.refusal
