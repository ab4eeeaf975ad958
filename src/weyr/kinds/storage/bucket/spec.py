"""What may be said of a bucket."""

from typing import Annotated

from weyr.core.schema import Duration, Reference, Spec, SpecPart, field, to


class LifecycleRule(SpecPart):
    """What ends by itself under `prefix`: objects by age, versions since they were replaced, unfinished uploads."""

    prefix: str = field("", description="Keys that begin with this; empty means every object.", max_length=512)
    tags: dict[str, str] | None = field(
        None, description="Only objects that have all of these tags.", min_length=1, max_length=10
    )
    expire_after: Duration | None = field(None, description="Age at which an object is deleted.", gt=0, examples=["7d"])
    noncurrent_expire_after: Duration | None = field(
        None, description="How long a version is kept after another took its place.", gt=0, examples=["30d"]
    )
    abort_uploads_after: Duration | None = field(
        None, description="Age at which an upload that was not finished is given up.", gt=0, examples=["7d"]
    )


class BucketSpec(Spec):
    """A place for objects, reached with any S3 client."""

    name: str | None = field(
        None,
        description="The bucket's name at the S3 door; by default the stack's name, a dash and this object's name.",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    )
    url: str | None = field(
        None,
        description="The place elsewhere that its objects are at; by default this engine's own. Options follow a ?, "
        "such as endpoint, region, account and credentials=anonymous.",
        pattern=r"^(file:///|(s3|gs|az)://)[^\s#@]+$",
        examples=["s3://models/llama?region=eu-west-1", "gs://models", "az://models?account=acme"],
        max_length=1024,
    )
    keys: dict[str, Annotated[Reference, to("secret")]] = field(
        {}, description="What opens the place at `url`: NAME: secret/name, such as access_key_id and secret_access_key."
    )
    versioning: bool | None = field(
        None,
        description="Keep the versions that a write or a delete replaces. By default it is left as a client set it.",
    )
    lifecycle: tuple[LifecycleRule, ...] = field((), description="Rules by which objects end.", max_length=100)
