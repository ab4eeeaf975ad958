"""How many replicas of an endpoint may there be?"""

from weyr.core.cron_fields import CronText, ZoneName
from weyr.core.schema import Duration, SpecPart, field


class Window(SpecPart):
    """A time at which there are at least so many replicas, whatever is asked."""

    cron: CronText = field(
        description="When it begins: minute, hour, day of the month, month, weekday; or @daily ...",
        examples=["30 7 * * mon-fri"],
    )
    lasts: Duration = field(description="How long it lasts.", gt=0, le=31 * 86_400, examples=["10h"])
    zone: ZoneName = field("UTC", description="The time zone.", examples=["Europe/Berlin"])
    min: int = field(description="Replicas kept in that time.", ge=1, le=1000, strict=True)


class Scale(SpecPart):
    """How many replicas answer."""

    min: int = field(1, description="Replicas kept at rest; 0 lets the endpoint sleep.", ge=0, le=1000, strict=True)
    max: int = field(1, description="The most replicas at any time.", ge=1, le=1000, strict=True)
    target_inflight: int = field(
        8, description="Requests at once that one replica should have; with `slo`, that it can work on.",
        ge=1, strict=True,
    )  # fmt: skip
    slo: Duration | None = field(
        None,
        description="A request that takes longer, its wait included, is late. Then there are as many replicas as keep "
        "few late, by what arrives and is foreseen.",
        gt=0, le=3600, examples=["500ms"],
    )  # fmt: skip
    weight: float = field(
        1.0, description="What its late requests count where a queue's replicas are shared.", gt=0, le=1000
    )
    calendar: tuple[Window, ...] = field((), description="Times at which more are kept.", max_length=50)
    idle_after: Duration = field(300.0, description="Time without a request before it goes back to min.", gt=0)
