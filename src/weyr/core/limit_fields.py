"""How are limits written? The same fields in a stack file and on the command line."""

from weyr.core.limits import Limits
from weyr.core.schema import MoneyAmount, Size, SpecPart, field


class LimitFields(SpecPart):
    """How much may be asked. What is left out is not limited."""

    requests_per_second: float | None = field(None, description="Requests per second over time.", gt=0, le=1e6)
    burst: int | None = field(
        None, description="Requests that may come at once; a second's worth where left out.", ge=1, le=10**6
    )
    tokens_per_minute: int | None = field(
        None, description="Tokens per minute, as the answer's usage tells them, and else estimated.", ge=1, le=10**12
    )
    concurrency: int | None = field(None, description="Requests under way at once.", ge=1, le=10**6)
    body: Size | None = field(None, description="Size of one request's body.", ge=1)
    per_day: MoneyAmount | None = field(None, description="Money in one day of UTC, by the endpoint's price.")
    per_month: MoneyAmount | None = field(None, description="Money in one month of UTC, by the endpoint's price.")

    @property
    def limits(self) -> Limits:
        return Limits(
            requests_per_second=self.requests_per_second or 0.0,
            burst=self.burst or 0,
            tokens_per_minute=self.tokens_per_minute or 0,
            concurrency=self.concurrency or 0,
            body_bytes=self.body or 0,
            micros_per_day=self.per_day.micros if self.per_day else 0,
            micros_per_month=self.per_month.micros if self.per_month else 0,
        )
