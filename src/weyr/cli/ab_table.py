"""How do the versions of an endpoint compare, as a table? For `weyr ab`, and for whoever describes the endpoint."""

from collections.abc import Sequence

from weyr.cli.objects import Row
from weyr.cli.screen import coloured, table
from weyr.core.comparison import Finding
from weyr.core.plain import value_of
from weyr.core.routes import VersionCounts

COLUMNS = ("measure", "version", "control", "difference", "95 % at any look", "p at any look", "p once", "verdict")
_FORM = {"errors": "{:.2%}", "latency": "{:.4f} s", "outcome": "{:.4g}"}


def counts_of(row: Row) -> list[VersionCounts]:
    """What the planes counted of each of an endpoint's versions, a shadow among them."""
    told = [value_of(tuple[VersionCounts, ...], thing.get("versions") or []) for thing in row.things]
    return [counts for versions in told for counts in versions]


def ab_table(findings: Sequence[Finding]) -> str:
    """A line for each measure of each version beside the control."""
    return table(list(COLUMNS), [_line(finding) for finding in findings])


def _line(finding: Finding) -> list[str]:
    form, seen = _FORM[finding.measure], finding.difference
    first = [
        finding.measure,
        f"{finding.version}: {form.format(finding.mean)}",
        f"{finding.control}: {form.format(finding.control_mean)}",
    ]
    if seen is None:
        return [*first, "-", "-", "-", "-", f"{finding.verdict} ({finding.count})"]
    colour = {"better": "ready", "worse": "failed"}.get(finding.verdict, "")
    return [
        *first,
        form.format(seen.value),
        f"{form.format(seen.low)} to {form.format(seen.high)}",
        f"{seen.p_always:.3g}",
        f"{seen.p_value:.3g}",
        coloured(finding.verdict, colour) if colour else finding.verdict,
    ]
