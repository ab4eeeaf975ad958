"""What does a commitment cost, what does it cover, and until when? Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

from weyr.core.assumptions import HOURS_A_MONTH, Assumed
from weyr.core.commitments import FEE, Coverage
from weyr.core.decision import Thing
from weyr.core.kind import Estimate, Usage
from weyr.core.ref import Ref
from weyr.core.units import DAY_S, HOUR_S
from weyr.kinds.cost.commitment.spec import CommitmentSpec

TERM_HOURS = {"1y": 365 * DAY_S // HOUR_S, "3y": 3 * 365 * DAY_S // HOUR_S}


def fee_micros_per_hour(spec: CommitmentSpec) -> int:
    """What it costs in each hour, with that hour's part of what was paid at once, rounded to the nearest."""
    hours = TERM_HOURS[spec.term]
    return spec.hourly.micros * (spec.count or 1) + (2 * spec.upfront.micros + hours) // (2 * hours)


def coverage_of(_ref: Ref, spec: CommitmentSpec) -> Coverage:
    return Coverage(
        form=spec.form,
        fee_micros_per_hour=fee_micros_per_hour(spec),
        books=spec.covers,
        machines=spec.count or 0,
        discount_ppm=round((spec.discount or 0.0) * 1_000_000),
        is_shared=spec.shared,
        id=spec.id,
    )


def ends_at(spec: CommitmentSpec) -> float:
    """Unix seconds."""
    return datetime.fromisoformat(spec.until).replace(tzinfo=UTC).timestamp()


def usage(spec: CommitmentSpec | None, _things: Mapping[str, Thing]) -> tuple[Usage, ...]:
    """Its fee, from when it is first looked at until its term ends. Nobody has to be asked: it is owed anyway."""
    if spec is None:
        return ()
    coverage = coverage_of(Ref("", "commitment", ""), spec)
    return (Usage("", FEE, coverage.fee_micros_per_hour, since=None, until=ends_at(spec), covers=coverage),)


def estimate(spec: CommitmentSpec, _assumed: Assumed) -> tuple[Estimate, ...]:
    """Its fee; what was paid at once stands by itself."""
    fee, hourly = fee_micros_per_hour(spec), spec.hourly.micros * (spec.count or 1)
    if not spec.upfront.micros:
        return (Estimate(FEE, fee, HOURS_A_MONTH),)
    upfront = Estimate(FEE, fee - hourly, HOURS_A_MONTH, once_micros=spec.upfront.micros)
    return (Estimate(FEE, hourly, HOURS_A_MONTH), upfront) if hourly else (upfront,)
