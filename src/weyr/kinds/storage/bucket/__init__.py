"""bucket: a place for objects, reached with any S3 client."""

from weyr.core.capability import Capability
from weyr.core.kind import Kind, Layer
from weyr.kinds.storage.bucket.checks import checks
from weyr.kinds.storage.bucket.decide import BucketMemory, decide
from weyr.kinds.storage.bucket.spec import BucketSpec
from weyr.kinds.storage.bucket.usage import assumes, estimate, usage

KIND = Kind(
    name="bucket",
    plural="buckets",
    layer=Layer.STORAGE,
    summary="A place for objects, reached with any S3 client.",
    spec=BucketSpec,
    decide=decide,
    capabilities=(Capability.OBJECTS,),
    memory=BucketMemory,
    usage=usage,
    estimate=estimate,
    assumes=assumes,
    replaces=frozenset({"name", "url"}),
    checks=checks,
)
