"""How many replicas may there be, and by what are they counted? The same fields for every kind that scales."""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.cron_fields import CronText, ZoneName
from weyr.core.diagnostic import Severity
from weyr.core.pools import Market
from weyr.core.ref import Ref
from weyr.core.schema import Boolean, Duration, SpecPart, field
from weyr.core.task_spec import TaskSpec

GROWING = ("_total", "_count", "_sum", "_bucket", "_created")
"""What the names of counters and of parts of histograms end with."""


class Window(SpecPart):
    """A time at which there are at least so many replicas, whatever is asked."""

    cron: CronText = field(
        description="When it begins: minute, hour, day of the month, month, weekday; or @daily ...",
        examples=["30 7 * * mon-fri"],
    )
    lasts: Duration = field(description="How long it lasts.", gt=0, le=31 * 86_400, examples=["10h"])
    zone: ZoneName = field("UTC", description="The time zone.", examples=["Europe/Berlin"])
    min: int = field(description="Replicas kept in that time.", ge=1, le=1000, strict=True)


class TargetMetric(SpecPart):
    """A gauge that each replica tells of itself, on a page in Prometheus' text format."""

    name: str = field(
        description="What it is called there; of several samples the sum counts.",
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200, examples=["vllm:num_requests_waiting"],
    )  # fmt: skip
    per_replica: float = field(
        description="There are at least as many replicas as bring its mean down to this.", gt=0, le=1e12, examples=[20]
    )
    path: str | None = field(
        None, description="Where a program of its own has the page: /metrics, unless it says otherwise.",
        pattern="^/", max_length=500, examples=["/metrics"],
    )  # fmt: skip


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
    target_metric: TargetMetric | None = field(
        None, description="A gauge of the replicas' own that asks for replicas too, beside what requests ask for."
    )
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
    spot: Boolean = field(
        False, description="Replicas above the floor run at the spot price; their nodes may be reclaimed."
    )
    on_demand: int | None = field(
        None, description="That floor: so many replicas never run on spot; by default as many as min.",
        ge=0, le=1000, strict=True,
    )  # fmt: skip
    idle_after: Duration = field(300.0, description="Time without a request before it goes back to min.", gt=0)

    @property
    def most(self) -> int:
        return max(self.max, self.min)

    @property
    def steady(self) -> int | None:
        """How many may not be on spot; None: no replica may."""
        if not self.spot:
            return None
        return self.min if self.on_demand is None else self.on_demand

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to choose."""
        return self.min >= self.max


def scale_findings(ref: Ref, spec: TaskSpec, scale: Scale, proposal: Proposal) -> Iterator[Finding]:
    """Limits that contradict one another, and more than one measure of what a replica can do."""
    if scale.min > scale.max:
        detail = f"At least {scale.min} replicas and at most {scale.max} cannot both hold."
        yield _fatal(ref, ("max",), "Limits that contradict", detail, f"max: {scale.min}")
    for at, window in enumerate(scale.calendar):
        if window.min > scale.max:
            detail = f"At least {window.min} replicas in a window and at most {scale.max} cannot both hold."
            yield _fatal(ref, ("calendar", at, "min"), "Limits that contradict", detail, f"max: {window.min}")
    yield from _metric_findings(ref, scale)
    pool = proposal.specs.get(spec.pool.ref(ref.stack)) if spec.pool else None
    # A pool's kind is another's: what its nodes are is read off any spec that says so.
    has_no_nodes = getattr(pool, "market", None) is Market.SPOT or spec.labels.get("market") == Market.SPOT
    yield from _spot_findings(ref, scale, has_no_nodes)
    measures = ("slo", "target_rate", "target_tokens")
    named = [name for name in measures if getattr(scale, name) is not None]
    if len(named) > 1:
        detail = (
            f"{ref} is counted by {' and by '.join(named)}, and one number of replicas cannot follow both. Keep slo "
            "where you know when a request is late, else what one replica can do."
        )
        yield _fatal(ref, (named[-1],), "Two measures of one load", detail, f"{named[0]}: ...")


def _metric_findings(ref: Ref, scale: Scale) -> Iterator[Finding]:
    metric = scale.target_metric
    if metric is None:
        return
    if metric.name.endswith(GROWING):
        detail = (
            f"By its name {metric.name} only grows, so replicas would be added for ever. Name a gauge: what waits, or "
            "is under way, or is full just now."
        )
        yield _fatal(ref, ("target_metric", "name"), "A metric that only grows", detail, "")
    if scale.is_fixed:
        detail = f"There are always {scale.most}: no metric changes that."
        yield _fatal(ref, ("target_metric",), "Nothing to choose", detail, f"max: {scale.most + 1}")


def _spot_findings(ref: Ref, scale: Scale, is_all_spot: bool) -> Iterator[Finding]:
    if scale.on_demand is not None and not scale.spot:
        detail = f"{ref} has no replica on spot, so none needs a floor below it."
        yield _fatal(ref, ("on_demand",), "A floor without spot", detail, "spot: true")
        return
    steady = scale.steady
    if steady is not None and steady >= scale.most:
        detail = f"{ref} has {scale.most} replicas at most, and {steady} of them never run on spot: none would."
        suggestion = f"on_demand: {max(0, scale.most - 1)}"
        yield Finding(ref, ("scale", "spot"), Severity.WARN, "Spot that is never used", detail, suggestion)
    if steady and is_all_spot:
        detail = f"{ref} keeps {steady} replicas off spot, and all its nodes are spot: they would wait for ever."
        suggestion = "Name no pool, and labels that nodes of both markets have; or on_demand: 0."
        yield _fatal(ref, ("on_demand",), "A floor that has no nodes", detail, suggestion)
    if steady == 0 and scale.min:
        detail = f"All replicas of {ref} may be reclaimed at once, and it answers nobody until others have begun."
        yield Finding(ref, ("scale", "on_demand"), Severity.WARN, "Spot without a floor", detail, "on_demand: 1")


def _fatal(ref: Ref, path: tuple[str | int, ...], summary: str, detail: str, suggestion: str) -> Finding:
    return Finding(ref, ("scale", *path), Severity.FATAL, summary, detail, suggestion)
