"""What is impossible among buckets, though each of them is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal, shared_names
from weyr.kinds.storage.bucket.decide import body_of
from weyr.kinds.storage.bucket.spec import BucketSpec


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Buckets that would be one and the same at the S3 door."""
    buckets = {ref: spec for ref, spec in proposal.specs.items() if isinstance(spec, BucketSpec)}
    yield from shared_names({ref: body_of(ref, spec).name for ref, spec in buckets.items()})
