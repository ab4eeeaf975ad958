"""Which operation does a request ask for, and which right does it take? One table for the whole S3 API.

A line of the table is the operation and the action that must be allowed, as policies name it. Where the action is ""
the operation itself asks, key by key. What is not in the table is not implemented.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from weyr.gateway.s3 import (
    api_acls,
    api_attributes,
    api_buckets,
    api_copies,
    api_cors,
    api_deletes,
    api_encryption,
    api_forms,
    api_lifecycle,
    api_lists,
    api_locks,
    api_logging,
    api_notices,
    api_objects,
    api_policies,
    api_settings,
    api_tags,
    api_upload_lists,
    api_uploads,
)
from weyr.gateway.s3.api_settings import Document
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.replication import api as replicating

Operation = Callable[[Call], Awaitable[Response]]

SUBRESOURCES = (
    "abac", "accelerate", "acl", "analytics", "annotation", "attributes", "cors", "delete", "encryption",
    "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "list-type", "location", "logging",
    "metadataAnnotationTable", "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable",
    "metadataTable", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus",
    "publicAccessBlock", "renameObject", "replication", "requestPayment", "restore", "retention", "select", "session",
    "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website",
)  # fmt: skip
"""Query names that make a request another one. Others are parameters."""

_PARAMETERS = frozenset((
    "AWSAccessKeyId", "Expires", "Signature", "allow-unordered", "bucket-region", "continuation-token", "delimiter",
    "encoding-type", "fetch-owner", "key-marker", "marker", "max-buckets", "max-keys", "max-parts",
    "max-uploads", "part-number-marker",
    "partNumber", "prefix", "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires", "start-after", "upload-id-marker",
    "version-id-marker", "versionId",
))  # fmt: skip
"""Query names that say more of a request. So do those that begin with `x-`, which are of signatures and clients."""


@dataclass(frozen=True, slots=True)
class Route:
    """An operation and the action it takes; `versioned` where the request names a version."""

    operation: Operation
    action: str
    versioned: str = ""

    def action_for(self, query: Mapping[str, str]) -> str:
        return self.versioned if self.versioned and query.get("versionId") else self.action


DOCUMENTS: tuple[Document, ...] = (
    *api_policies.DOCUMENTS,
    api_cors.CORS,
    api_lifecycle.LIFECYCLE,
    api_locks.OBJECT_LOCK,
    api_tags.BUCKET_TAGGING,
    api_encryption.ENCRYPTION,
)
"""The documents a bucket may have that are routed as they are: read, replaced, removed."""

_OWN: Mapping[tuple[str, str, str], Route] = {
    ("service", "GET", ""): Route(api_buckets.list_buckets, ""),
    ("bucket", "GET", ""): Route(api_lists.list_objects, "s3:ListBucket"),
    ("bucket", "GET", "acl"): Route(api_acls.get_bucket_acl, "s3:GetBucketAcl"),
    ("bucket", "GET", "list-type"): Route(api_lists.list_objects, "s3:ListBucket"),
    ("bucket", "GET", "location"): Route(api_buckets.get_location, "s3:GetBucketLocation"),
    ("bucket", "GET", "logging"): Route(api_logging.get_logging, "s3:GetBucketLogging"),
    ("bucket", "GET", "policyStatus"): Route(api_policies.get_policy_status, "s3:GetBucketPolicyStatus"),
    ("bucket", "GET", "notification"): Route(api_notices.get_notification, "s3:GetBucketNotification"),
    ("bucket", "GET", "replication"): Route(replicating.get_replication, "s3:GetReplicationConfiguration"),
    ("bucket", "GET", "requestPayment"): Route(api_buckets.get_request_payment, "s3:GetBucketRequestPayment"),
    ("bucket", "GET", "uploads"): Route(api_upload_lists.list_uploads, "s3:ListBucketMultipartUploads"),
    ("bucket", "GET", "versioning"): Route(api_buckets.get_versioning, "s3:GetBucketVersioning"),
    ("bucket", "GET", "versions"): Route(api_lists.list_versions, "s3:ListBucketVersions"),
    ("bucket", "HEAD", ""): Route(api_buckets.head_bucket, "s3:ListBucket"),
    ("bucket", "PUT", ""): Route(api_buckets.create_bucket, "s3:CreateBucket"),
    ("bucket", "PUT", "acl"): Route(api_acls.put_bucket_acl, "s3:PutBucketAcl"),
    ("bucket", "PUT", "logging"): Route(api_logging.put_logging, "s3:PutBucketLogging"),
    ("bucket", "PUT", "notification"): Route(api_notices.put_notification, "s3:PutBucketNotification"),
    ("bucket", "PUT", "replication"): Route(replicating.put_replication, "s3:PutReplicationConfiguration"),
    ("bucket", "PUT", "versioning"): Route(api_buckets.put_versioning, "s3:PutBucketVersioning"),
    ("bucket", "DELETE", ""): Route(api_buckets.delete_bucket, "s3:DeleteBucket"),
    ("bucket", "DELETE", "replication"): Route(replicating.delete_replication, "s3:PutReplicationConfiguration"),
    ("bucket", "POST", ""): Route(api_forms.post_object, ""),
    ("bucket", "POST", "delete"): Route(api_deletes.delete_objects, ""),
    ("object", "GET", ""): Route(api_objects.get_object, "s3:GetObject", "s3:GetObjectVersion"),
    ("object", "GET", "acl"): Route(api_acls.get_object_acl, "s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    ("object", "GET", "attributes"): Route(
        api_attributes.get_attributes, "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"
    ),
    ("object", "GET", "legal-hold"): Route(api_locks.get_legal_hold, "s3:GetObjectLegalHold"),
    ("object", "GET", "retention"): Route(api_locks.get_retention, "s3:GetObjectRetention"),
    ("object", "GET", "uploadId"): Route(api_upload_lists.list_parts, "s3:ListMultipartUploadParts"),
    ("object", "GET", "tagging"): Route(api_tags.get_tags, "s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
    ("object", "HEAD", ""): Route(api_objects.head_object, "s3:GetObject", "s3:GetObjectVersion"),
    ("object", "PUT", ""): Route(api_copies.put_object, "s3:PutObject"),
    ("object", "PUT", "acl"): Route(api_acls.put_object_acl, "s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
    ("object", "PUT", "legal-hold"): Route(api_locks.put_legal_hold, ""),
    ("object", "PUT", "retention"): Route(api_locks.put_retention, ""),
    ("object", "PUT", "uploadId"): Route(api_uploads.put_part, "s3:PutObject"),
    ("object", "PUT", "tagging"): Route(api_tags.put_tags, "s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
    ("object", "POST", "uploads"): Route(api_uploads.create_upload, "s3:PutObject"),
    ("object", "POST", "uploadId"): Route(api_uploads.complete_upload, "s3:PutObject"),
    ("object", "DELETE", ""): Route(api_deletes.delete_object, "s3:DeleteObject", "s3:DeleteObjectVersion"),
    ("object", "DELETE", "uploadId"): Route(api_uploads.abort_upload, "s3:AbortMultipartUpload"),
    ("object", "DELETE", "tagging"): Route(
        api_tags.delete_tags, "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"
    ),
}


def _of_documents() -> dict[tuple[str, str, str], Route]:
    routes: dict[tuple[str, str, str], Route] = {}
    for document in DOCUMENTS:
        routes["bucket", "GET", document.name] = Route(api_settings.getter(document), document.get_action)
        routes["bucket", "PUT", document.name] = Route(api_settings.putter(document), document.put_action)
        if document.delete_action:
            routes["bucket", "DELETE", document.name] = Route(api_settings.deleter(document), document.delete_action)
    return routes


ROUTES: Mapping[tuple[str, str, str], Route] = {**_OWN, **_of_documents()}


def route_of(method: str, bucket: str, key: str, query: Mapping[str, str]) -> Route:
    """Raises: S3Error NotImplemented for what S3 has and weyr has not, MethodNotAllowed for what S3 has not either."""
    level = "object" if key else "bucket" if bucket else "service"
    _check_parameters(method, query)
    asked = [name for name in SUBRESOURCES if name in query]
    subresource = asked[0] if asked else ""
    route = ROUTES.get((level, method, subresource))
    if route is None or len(asked) > 1:
        if subresource or method in ("POST", "OPTIONS"):
            raise not_implemented(f"{method} of {'&'.join(asked) or 'this'} on a {level}")
        raise S3Error("MethodNotAllowed", Method=method, ResourceType=level.upper())
    return route


def _check_parameters(method: str, query: Mapping[str, str]) -> None:
    """A name that is not known may be a subresource that S3 has by now: `DELETE key?new` must not delete the key.

    One with a value, in a request that only reads, is ignored as S3 does: pages break caches with them.
    """
    for name, value in query.items():
        if name in _PARAMETERS or name in SUBRESOURCES or name.lower().startswith("x-"):
            continue
        if not value or method not in ("GET", "HEAD"):
            raise not_implemented(f"the parameter {name}")
