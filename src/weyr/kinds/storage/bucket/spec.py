"""What may be said of a bucket."""

from typing import Annotated

from weyr.core.schema import Duration, Reference, Spec, SpecPart, field, to


class Tier(SpecPart):
    """Where the objects of a storage class go."""

    short = "at"

    at: str = field(
        description="A folder of this machine, or a place elsewhere, written as `url` is.",
        pattern=r"^(/[^\s#?%]+|(file:///|(s3|gs|az)://)[^\s#@]+)$",
        examples=["/mnt/slow/lake", "s3://acme-archive/lake?region=eu-west-1"],
        max_length=1024,
    )
    keys: dict[str, Annotated[Reference, to("secret")]] = field(
        {}, description="What opens the place: NAME: secret/name, as for `url`."
    )


class LifecycleRule(SpecPart):
    """What ends, or moves to a tier, by itself under `prefix`: objects by age, versions since they were replaced."""

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
    move_after: Duration | None = field(
        None, description="Age at which an object moves to the tier `to`.", gt=0, examples=["30d"]
    )
    noncurrent_move_after: Duration | None = field(
        None, description="How long after another took its place a version moves to the tier `to`.", gt=0
    )
    to: str | None = field(None, description="The tier that objects move to.", examples=["standard_ia"])


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
    tiers: dict[str, Tier] = field(
        {},
        description="Where objects of a storage class go, by the class: standard_ia for what S3 clients write as "
        "STANDARD_IA. Rules move objects there, and clients put them there.",
        max_length=20,
    )
    lifecycle: tuple[LifecycleRule, ...] = field(
        (), description="Rules by which objects end, or move to a tier.", max_length=100
    )
