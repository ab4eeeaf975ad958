"""How many replicas may there be, and by what are they counted? The same fields for every kind that scales."""

from collections.abc import Iterator

from weyr.core.checking import Finding
from weyr.core.cron_fields import CronText, ZoneName
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
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

    min: int = field(1, description="Replicas kept at rest; 0 lets it sleep.", ge=0, le=1000, strict=True)
    max: int = field(1, description="The most replicas at any time.", ge=1, le=1000, strict=True)
    target_inflight: int = field(8, description="Requests that one replica can work on at once.", ge=1, strict=True)
    target_rate: float | None = field(
        None, description="Requests per second that one replica can answer; then how many are in flight is all one.",
        gt=0, le=1e6, examples=[50],
    )  # fmt: skip
    target_tokens: float | None = field(
        None, description="Tokens per second that one replica can write, as answers' usage counts them.",
        gt=0, le=1e9, examples=[2000],
    )  # fmt: skip
    slo: Duration | None = field(
        None,
        description="A request that takes longer, its wait included, is late: there are as many replicas as keep few "
        "late. Without it, one that takes three times as long as without a wait.",
        gt=0, le=3600, examples=["500ms"],
    )  # fmt: skip
    weight: float = field(
        1.0, description="What its late requests count where a queue's replicas are shared.", gt=0, le=1000
    )
    calendar: tuple[Window, ...] = field((), description="Times at which more are kept.", max_length=50)
    idle_after: Duration = field(300.0, description="Time without a request before it goes back to min.", gt=0)

    @property
    def most(self) -> int:
        return max(self.max, self.min)

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to choose."""
        return self.min >= self.max


def scale_findings(ref: Ref, scale: Scale) -> Iterator[Finding]:
    """Limits that contradict one another, and more than one measure of what a replica can do."""
    if scale.min > scale.max:
        detail = f"At least {scale.min} replicas and at most {scale.max} cannot both hold."
        yield _fatal(ref, ("max",), "Limits that contradict", detail, f"max: {scale.min}")
    for at, window in enumerate(scale.calendar):
        if window.min > scale.max:
            detail = f"At least {window.min} replicas in a window and at most {scale.max} cannot both hold."
            yield _fatal(ref, ("calendar", at, "min"), "Limits that contradict", detail, f"max: {window.min}")
    measures = ("slo", "target_rate", "target_tokens")
    named = [name for name in measures if getattr(scale, name) is not None]
    if len(named) > 1:
        detail = (
            f"{ref} is counted by {' and by '.join(named)}, and one number of replicas cannot follow both. Keep slo "
            "where you know when a request is late, else what one replica can do."
        )
        yield _fatal(ref, (named[-1],), "Two measures of one load", detail, f"{named[0]}: ...")


def _fatal(ref: Ref, path: tuple[str | int, ...], summary: str, detail: str, suggestion: str) -> Finding:
    return Finding(ref, ("scale", *path), Severity.FATAL, summary, detail, suggestion)
