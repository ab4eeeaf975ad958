"""Which storage class does a request ask for, and which had the object that it was about?"""

from collections.abc import Collection

from weyr.gateway.s3.call import Call
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.records import Bucket, Stored
from weyr.gateway.s3.remote.own_tiers import tier_of, urls_in

HEADER = "x-amz-storage-class"
STANDARD = "STANDARD"


def classes(call: Call) -> Collection[str]:
    """The classes that objects of the call's bucket may have beside STANDARD: its own tiers, and the plane's."""
    return {*urls_in(call.there.settings), *call.plane.outside.tiers}


def own_classes(call: Call) -> frozenset[str]:
    """The classes that have a tier of the bucket's own, as the request found it."""
    return frozenset(urls_in(call.there.settings))


def class_asked(call: Call) -> str | None:
    """The class that the request wants for its object, "" for STANDARD; None where it does not say.

    Raises: S3Error InvalidStorageClass for one that the bucket has no tier for.
    """
    name = call.headers.get(HEADER)
    if name is None or name == STANDARD:
        return None if name is None else ""
    if name not in classes(call):
        there = ", ".join((STANDARD, *sorted(classes(call))))
        message = f"The storage class {name!r} is none of this bucket, which has {there}."
        raise S3Error("InvalidStorageClass", message, StorageClassRequested=name)
    return name


def check_no_class(call: Call) -> None:
    """Refuses a class where nothing is made that could have it. Raises: S3Error NotImplemented."""
    if call.headers.get(HEADER, STANDARD) != STANDARD:
        raise not_implemented("storage classes other than STANDARD of what makes no object")


def class_told(call: Call, response: Response) -> str:
    """The class that a request which was answered counts in, "" for STANDARD: what it put, or what it read."""
    if call.request.method in ("PUT", "POST"):
        name = call.headers.get(HEADER, "")
        return "" if name == STANDARD else name
    return next((value for name, value in response.headers if name == HEADER), "")


def is_class_kept(call: Call, bucket: Bucket, stored: Stored) -> bool:
    """Whether a copy of an object may be of its class without its bytes being read: within a bucket always; between
    two, where the tier is the plane's. Another bucket's own tier may be gone tomorrow."""
    if not stored.meta.storage_class or bucket.id == call.there.id:
        return True
    tier = tier_of(bucket, stored.meta.storage_class)
    return "." not in tier and tier_of(call.there, stored.meta.storage_class) == tier
