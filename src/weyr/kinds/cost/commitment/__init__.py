"""commitment: what was promised to a provider for a term, and the use that it makes cheaper."""

from weyr.core.kind import Kind, Layer
from weyr.kinds.cost.commitment.checks import checks
from weyr.kinds.cost.commitment.decide import decide
from weyr.kinds.cost.commitment.spec import CommitmentSpec
from weyr.kinds.cost.commitment.terms import coverage_of, estimate, usage

KIND = Kind(
    name="commitment",
    plural="commitments",
    layer=Layer.COST,
    summary="What was promised to a provider for a term, and the use that it makes cheaper.",
    spec=CommitmentSpec,
    decide=decide,
    usage=usage,
    estimate=estimate,
    checks=checks,
    commits=coverage_of,
)
