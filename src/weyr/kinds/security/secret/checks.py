"""What is still to be done by hand for a secret?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.diagnostic import Severity
from weyr.kinds.security.secret.spec import SecretSpec


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Secrets that wait for somebody to set them, and let wait whoever needs them."""
    for ref, spec in proposal.specs.items():
        if isinstance(spec, SecretSpec) and not spec.generate and not proposal.outputs.get(ref, {}).get("version"):
            detail = f"{ref} has no value yet, and what needs it waits until it has one."
            suggestion = f"weyr secret set {ref.stack}/{ref.name}"
            yield Finding(ref, (), Severity.INFO, "A secret to be set", detail, suggestion)
