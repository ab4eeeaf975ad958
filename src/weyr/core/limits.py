"""How much may somebody ask? The limits of a caller, a key or an endpoint, and what a request costs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """0 stands for no limit.

    `burst` requests may come at once before `requests_per_second` counts; 0 stands for a second's worth. Money is in
    millionths of a currency unit, and is counted by days and months of UTC.
    """

    requests_per_second: float = 0.0
    burst: int = 0
    tokens_per_minute: int = 0
    concurrency: int = 0
    body_bytes: int = 0
    micros_per_day: int = 0
    micros_per_month: int = 0

    @property
    def are_counted(self) -> bool:
        """Whether anything has to be remembered from one request to the next."""
        return bool(
            self.requests_per_second
            or self.tokens_per_minute
            or self.concurrency
            or self.micros_per_day
            or self.micros_per_month
        )

    @property
    def are_metered(self) -> bool:
        """Whether what an answer holds counts."""
        return bool(self.tokens_per_minute or self.micros_per_day or self.micros_per_month)


@dataclass(frozen=True, slots=True)
class Price:
    """What a request is charged to its caller's limits, in millionths: each, and per million tokens."""

    request_micros: int = 0
    prompt_micros: int = 0
    completion_micros: int = 0

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """What so many tokens cost, in millionths."""
        return (prompt_tokens * self.prompt_micros + completion_tokens * self.completion_micros) / 1e6


NO_LIMITS = Limits()
FREE = Price()
