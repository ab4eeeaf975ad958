"""How much may be asked of an endpoint, how long does a request wait, and whom is it not sent to?"""

from weyr.core.limit_fields import LimitFields
from weyr.core.limits import Price
from weyr.core.route_limits import Ejection, QueueRule, Retries, RouteLimits, Timeouts
from weyr.core.schema import Boolean, Duration, MoneyAmount, Share, SpecPart, field


class Prices(SpecPart):
    """What a request is charged to the money that its caller may spend; nothing else is charged by it."""

    per_1k_requests: MoneyAmount | None = field(None, description="For 1,000 requests.")
    per_million_prompt_tokens: MoneyAmount | None = field(None, description="For a million tokens that are sent.")
    per_million_completion_tokens: MoneyAmount | None = field(
        None, description="For a million tokens that are answered."
    )

    @property
    def price(self) -> Price:
        return Price(
            request_micros=_micros(self.per_1k_requests) // 1000,
            prompt_micros=_micros(self.per_million_prompt_tokens),
            completion_micros=_micros(self.per_million_completion_tokens),
        )


class CallLimits(SpecPart):
    """How much may be asked. Whoever asks more is answered 429, and when he may ask again."""

    per_caller: LimitFields = field(LimitFields(), description="Each caller by itself, beside what its key says.")
    total: LimitFields = field(LimitFields(), description="All callers together.")
    price: Prices = field(Prices(), description="What counts against limits on money.")


class Waiting(SpecPart):
    """Requests that wait in the plane: the urgent first, and among callers in turn."""

    per_replica: int | None = field(
        None, description="Requests that one replica has at once; as many as come where left out.", ge=1, le=100_000
    )
    max: int = field(1000, description="Requests that may wait; the rest is refused.", ge=0, le=1_000_000, strict=True)


class TimeLimits(SpecPart):
    """How long the plane waits for a replica."""

    connect: Duration = field(2.0, description="For a connection.", gt=0, le=60)
    first_byte: Duration | None = field(None, description="For the first byte of an answer.", gt=0)
    between: Duration | None = field(None, description="For more of an answer, such as the next event.", gt=0)
    whole: Duration | None = field(None, description="For the whole request, waiting included.", gt=0)


class Repeats(SpecPart):
    """When a request that a replica did not answer is sent to another one."""

    max: int = field(2, description="How often one request is sent again.", ge=0, le=10, strict=True)
    budget: Share = field(0.2, description="How many of all requests may be.", ge=0, le=1)
    safe: Boolean = field(False, description="Asking twice does no harm: POST too is sent again when its replica dies.")


class Outliers(SpecPart):
    """Replicas that are left alone for a while, and then tried with one request."""

    errors: int = field(5, description="After so many failures in a row; 0 for never.", ge=0, le=1000, strict=True)
    out: Duration = field(10.0, description="For so long, and twice that the next time.", gt=0, le=300)
    share: Share = field(0.5, description="The most of them at once.", ge=0, le=1)
    slow: float | None = field(None, description="When this many times as slow as the median.", ge=1.5, le=1000)


def route_limits(
    limits: CallLimits, waiting: Waiting, timeouts: TimeLimits, repeats: Repeats, outliers: Outliers
) -> RouteLimits:
    """What the plane is told."""
    return RouteLimits(
        queue=QueueRule(waiting.per_replica or 0, waiting.max),
        timeouts=Timeouts(timeouts.connect, timeouts.first_byte or 0.0, timeouts.between or 0.0, timeouts.whole or 0.0),
        retries=Retries(repeats.max, repeats.budget, repeats.safe),
        ejection=Ejection(outliers.errors, outliers.out, outliers.share, outliers.slow or 0.0),
        per_caller=limits.per_caller.limits,
        total=limits.total.limits,
        price=limits.price.price,
    )


def _micros(money: MoneyAmount | None) -> int:
    return money.micros if money else 0
