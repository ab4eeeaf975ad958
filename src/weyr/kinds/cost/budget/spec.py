"""What may be said of a budget."""

from typing import Annotated, Literal

from weyr.core.capability import Channel
from weyr.core.reach import Every
from weyr.core.schema import Duration, MoneyAmount, Name, Reference, Share, Spec, SpecPart, checked, field, to

Then = Literal["alert", "block", "floor", "drain", "stop"]


class Notify(SpecPart):
    """Who gets the alerts, beside the log: one of webhook, webhook_secret, slack and email."""

    webhook: str | None = field(
        None, description="An address that gets each alert as a JSON POST.", pattern=r"^https?://[^\s]+$"
    )
    webhook_secret: Annotated[Reference, to("secret")] | None = field(
        None, description="The same, where the address is not to be seen: the secret that holds it."
    )
    slack: Annotated[Reference, to("secret")] | None = field(
        None, description="The secret that holds the address of a Slack channel's incoming webhook."
    )
    email: str | None = field(
        None, description="Who gets it by mail.", examples=["team@example.org"], pattern=r"^[^@\s<>,]+@[^@\s<>,]+$"
    )
    server: Annotated[Reference, to("secret")] | None = field(
        None, description="For mail: the secret that holds smtp://user:password@host:587, or smtps://."
    )
    sender: str = field("weyr@localhost", description="For mail: who it is from.", pattern=r"^[^@\s<>,]+@[^@\s<>,]+$")

    @property
    def channel(self) -> Channel:
        return Channel.EMAIL if self.email else Channel.SLACK if self.slack else Channel.WEBHOOK

    @property
    def secret(self) -> Reference | None:
        """The secret that the delivery needs."""
        return self.webhook_secret or self.slack or self.server


def _notify(value: Notify) -> Notify:
    """Raises: ValueError."""
    if sum(each is not None for each in (value.webhook, value.webhook_secret, value.slack, value.email)) != 1:
        raise ValueError("write one of webhook, webhook_secret, slack and email")
    if bool(value.email) != bool(value.server):
        raise ValueError("email and server belong together: who gets it, and the secret with the mail server's address")
    return value


class BudgetSpec(Spec):
    """What all in a reach may cost in a period of UTC, and what happens when it nears that."""

    limit: MoneyAmount = field(description="The most that it may cost in the period.", examples=["200 USD"])
    period: Every = field(Every.MONTH, description="The calendar period that the limit is for: then it counts anew.")
    queue: Annotated[Reference, to("queue", is_shared=True)] | None = field(
        None, description="Count what goes through this queue, in whichever stack, instead of this stack."
    )
    user: str | None = field(
        None, description="Count what this person asked for, in whichever stack.", min_length=1, max_length=64
    )
    team: str | None = field(
        None, description="Count what the members of this team asked for, in whichever stack.", min_length=1
    )
    having: dict[Name, str] = field(
        {}, description="Count what has these tags, in whichever stack.", examples=[{"project": "llm"}], max_length=10
    )
    alert_at: tuple[Share, ...] = field(
        (0.5, 0.8, 1.0), description="Shares of the limit at which to alert, once each.", max_length=20
    )
    alert_forecast: Share | None = field(
        1.0, description="Alert once when the period is about to end above this share of the limit; null: never."
    )
    forecast_for: Duration = field(
        300.0, description="How long the forecast has to stand above that: a short job is no trend.", ge=0, le=86_400
    )
    then: Then = field(
        "alert",
        description="At the limit: block (nothing new begins), floor (fewest replicas), drain, stop; or only alert.",
    )
    ahead: Duration = field(
        600.0,
        description="What has no end of its own (a replica, a node) begins only if so long of it can be paid.",
        ge=0,
        le=30 * 86_400,
    )
    above: Literal["refuse", "warn"] = field(
        "refuse", description="What is asked for and cannot be paid within it: refuse it, or only warn of it."
    )
    notify: tuple[Annotated[Notify, checked(_notify)], ...] = field(
        (), description="Who gets each alert, beside the log.", max_length=10
    )
