"""Which operation answers for a bucket that is elsewhere? The one of its place, our own, or none.

What is about who may call is kept here, in the bucket's row, and works as for any bucket. What is about objects is
done at the place. What neither can do is not implemented, and so nothing is accepted and then not kept.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from weyr.gateway.s3 import api_buckets, api_copies, api_deletes, api_lists, api_objects, api_uploads
from weyr.gateway.s3.api_upload_lists import list_parts, list_uploads
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.errors import not_implemented
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.remote import reads, stores

Operation = Callable[[Call], Awaitable[Response]]

_KEPT_ACTIONS = {
    "s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock", "s3:GetBucketOwnershipControls",
    "s3:PutBucketOwnershipControls", "s3:GetBucketCORS", "s3:PutBucketCORS", "s3:GetBucketTagging",
    "s3:PutBucketTagging", "s3:GetBucketAcl", "s3:PutBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning",
    "s3:GetBucketRequestPayment", "s3:CreateBucket", "s3:DeleteBucket", "s3:AbortMultipartUpload",
    "s3:GetLifecycleConfiguration", "s3:GetEncryptionConfiguration", "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketNotification",
}  # fmt: skip
_KEPT = {
    api_buckets.head_bucket, api_lists.list_objects, list_parts, list_uploads, api_uploads.abort_upload,
    api_uploads.put_part,
}  # fmt: skip


def operation_at(operation: Operation, action: str) -> Operation:
    """What answers in the place of one of our own operations. Raises: S3Error NotImplemented."""
    if operation in _KEPT or action in _KEPT_ACTIONS:
        return operation
    elsewhere: Mapping[Operation, Operation] = {
        api_objects.get_object: reads.get_object,
        api_objects.head_object: reads.head_object,
        api_copies.put_object: stores.put_object,
        api_uploads.create_upload: partial(stores.create_upload, create=api_uploads.create_upload),
        api_uploads.complete_upload: stores.complete_upload,
        api_deletes.delete_object: stores.delete_object,
        api_deletes.delete_objects: stores.delete_objects,
    }
    if operation not in elsewhere:
        raise not_implemented("this on a bucket that is elsewhere")
    return elsewhere[operation]
