"""secret: a value that tasks may read, encrypted at rest and never printed."""

from weyr.core.capability import Capability
from weyr.core.kind import Kind, Layer
from weyr.kinds.security.secret.checks import checks
from weyr.kinds.security.secret.decide import decide
from weyr.kinds.security.secret.spec import SecretSpec

KIND: Kind[SecretSpec, None] = Kind(
    name="secret",
    plural="secrets",
    layer=Layer.SECURITY,
    summary="A value that tasks may read, encrypted at rest and never printed.",
    spec=SecretSpec,
    decide=decide,
    capabilities=(Capability.SECRETS,),
    checks=checks,
)
