"""What may be said of a bucket."""

from weyr.core.schema import Duration, Spec, SpecPart, field


class LifecycleRule(SpecPart):
    """Objects whose key begins with `prefix` are deleted when they are older than `expire_after`."""

    prefix: str = field("", description="Keys that begin with this; empty means every object.", max_length=512)
    expire_after: Duration = field(description="Age at which an object is deleted.", gt=0, examples=["7d"])


class BucketSpec(Spec):
    """A place for objects, reached with any S3 client."""

    name: str | None = field(
        None,
        description="The bucket's name at the S3 door; by default the stack's name, a dash and this object's name.",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    )
    lifecycle: tuple[LifecycleRule, ...] = field((), description="Rules that delete objects by age.", max_length=100)
