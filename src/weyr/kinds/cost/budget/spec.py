"""What may be said of a budget."""

from typing import Literal

from weyr.core.schema import MoneyAmount, Share, Spec, field


class BudgetSpec(Spec):
    """What the stack may cost in a calendar month (UTC), and what happens when it nears that."""

    limit: MoneyAmount = field(description="The most that the stack may cost in a month.", examples=["200 USD"])
    alert_at: tuple[Share, ...] = field(
        (0.5, 0.8, 1.0), description="Shares of the limit at which to alert, once each.", max_length=20
    )
    then: Literal["alert", "stop"] = field(
        "alert", description="At the limit: only alert, or stop everything in the stack that spends."
    )
    webhook: str | None = field(
        None, description="An address that gets each alert as a JSON POST.", pattern=r"^https?://[^\s]+$"
    )
