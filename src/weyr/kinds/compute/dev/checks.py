"""What is impossible in a session, though each of its fields is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.diagnostic import Severity
from weyr.kinds.compute.dev.spec import DevSpec


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Sessions with two programs, in an image, or in a copy."""
    for ref, spec in proposal.specs.items():
        if isinstance(spec, DevSpec) and spec.jupyter and spec.run:
            detail = f"{ref} is to run JupyterLab and another program; a session has one."
            yield Finding(ref, ("run",), Severity.FATAL, "Two programs", detail)
        if isinstance(spec, DevSpec) and spec.image:
            detail = "A session is started below a process of Weyr's, which an image does not hold."
            yield Finding(ref, ("image",), Severity.FATAL, "A session in an image", detail)
        if isinstance(spec, DevSpec) and spec.ship:
            detail = "What is edited in a copy would end with the session; it works in the folder itself."
            yield Finding(ref, ("ship",), Severity.FATAL, "A session in a copy", detail)
