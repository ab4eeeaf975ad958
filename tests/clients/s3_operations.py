"""Every operation of botocore's model of S3 with arguments that make it do something, for the tests that call them all.

Arguments that the model itself makes plain (a bucket, a key) are filled in; `LAKE` holds what the operations work on.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

RETENTION = {"Mode": "GOVERNANCE", "RetainUntilDate": "2036-01-01T00:00:00Z"}
_ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
_LIFECYCLE = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}]}
_POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", '
    '"Resource": "arn:aws:s3:::%s/*"}]}'
)
_TAGS = {"TagSet": [{"Key": "k", "Value": "v"}]}
_OWNERSHIP = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
_CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
_BLOCK = {"BlockPublicAcls": True}
_TARGET = {"QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1::hook", "Events": ["s3:ObjectCreated:*"]}]}

_REPLICATION = {
    "Role": "arn:aws:iam::1:role/any",
    "Rules": [{"Status": "Enabled", "Prefix": "", "Destination": {"Bucket": "arn:aws:s3:::folder"}}],
}


@dataclass
class Lake:
    """A bucket of its own for one call: an object with a version, an open upload with a part, and object lock."""

    client: Any
    bucket: str
    version: str = ""
    upload: str = ""
    etag: str = ""

    def fill(self) -> "Lake":
        self.client.create_bucket(Bucket=self.bucket, ObjectLockEnabledForBucket=True)
        key = {"Bucket": self.bucket, "Key": "k"}
        self.version = self.client.put_object(**key, Body=b"content", Tagging="a=b")["VersionId"]
        self.upload = self.client.create_multipart_upload(**key)["UploadId"]
        self.etag = self.client.upload_part(**key, UploadId=self.upload, PartNumber=1, Body=b"part")["ETag"]
        return self


Fields = Mapping[str, Any]
ARGUMENTS: Mapping[str, Callable[[Lake], Fields]] = {
    "CompleteMultipartUpload": lambda lake: {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": lake.etag}]}},
    "CopyObject": lambda lake: {"Key": "copy"},
    "CreateBucket": lambda lake: {"Bucket": f"{lake.bucket}-new"},
    "CreateMultipartUpload": lambda lake: {},
    "DeleteBucket": lambda lake: {"Bucket": f"{lake.bucket}-new"},
    "DeleteObjects": lambda lake: {"Delete": {"Objects": [{"Key": "k"}]}},
    "GetObjectAttributes": lambda lake: {"ObjectAttributes": ["ETag", "ObjectSize"]},
    "PutBucketAcl": lambda lake: {"ACL": "private"},
    "PutBucketCors": lambda lake: {"CORSConfiguration": _CORS},
    "PutBucketEncryption": lambda lake: {"ServerSideEncryptionConfiguration": _ENCRYPTION},
    "PutBucketLifecycle": lambda lake: {"LifecycleConfiguration": {"Rules": [_old_rule()]}},
    "PutBucketLifecycleConfiguration": lambda lake: {"LifecycleConfiguration": _LIFECYCLE},
    "PutBucketLogging": lambda lake: {
        "BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": lake.bucket, "TargetPrefix": "log/"}}
    },
    "PutBucketNotification": lambda lake: {"NotificationConfiguration": {}},
    "PutBucketNotificationConfiguration": lambda lake: {"NotificationConfiguration": _TARGET},
    "PutBucketOwnershipControls": lambda lake: {"OwnershipControls": _OWNERSHIP},
    "PutBucketPolicy": lambda lake: {"Policy": _POLICY % lake.bucket},
    "PutBucketReplication": lambda lake: {"ReplicationConfiguration": _REPLICATION},
    "PutBucketTagging": lambda lake: {"Tagging": _TAGS},
    "PutBucketVersioning": lambda lake: {"VersioningConfiguration": {"Status": "Enabled"}},
    "PutObjectAcl": lambda lake: {"ACL": "private"},
    "PutObjectLegalHold": lambda lake: {"LegalHold": {"Status": "OFF"}},
    "PutObjectLockConfiguration": lambda lake: {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}},
    "PutObjectRetention": lambda lake: {"Retention": RETENTION},
    "PutObjectTagging": lambda lake: {"Tagging": _TAGS},
    "PutPublicAccessBlock": lambda lake: {"PublicAccessBlockConfiguration": _BLOCK},
    "UpdateObjectEncryption": lambda lake: {"ObjectEncryption": {"SSEKMS": {"KMSKeyArn": "arn:aws:kms:x:1:key/x"}}},
    "UploadPart": lambda lake: {"Body": b"part"},
}

BEFORE: Mapping[str, str] = {
    "DeleteBucket": "CreateBucket",
    "GetBucketCors": "PutBucketCors",
    "GetBucketEncryption": "PutBucketEncryption",
    "GetBucketLifecycle": "PutBucketLifecycle",
    "GetBucketLifecycleConfiguration": "PutBucketLifecycleConfiguration",
    "GetBucketLogging": "PutBucketLogging",
    "GetBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetBucketPolicy": "PutBucketPolicy",
    "GetBucketPolicyStatus": "PutBucketPolicy",
    "GetBucketReplication": "PutBucketReplication",
    "GetBucketTagging": "PutBucketTagging",
    "GetObjectLegalHold": "PutObjectLegalHold",
    "GetObjectLockConfiguration": "PutObjectLockConfiguration",
    "GetObjectRetention": "PutObjectRetention",
    "GetPublicAccessBlock": "PutPublicAccessBlock",
}
"""What has to be done first, so that there is something to get."""


def _old_rule() -> Fields:
    return {"ID": "r", "Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 3}}


def arguments_of(name: str, lake: Lake) -> dict[str, Any]:
    """What to call an operation with: what the model requires, and what makes it do something here."""
    shape = lake.client.meta.service_model.operation_model(name).input_shape
    required = {} if shape is None else {member: _value(shape.members[member]) for member in shape.required_members}
    named = {"Bucket": lake.bucket, "Key": "k", "UploadId": lake.upload, "CopySource": f"{lake.bucket}/k"}
    required |= {field: value for field, value in named.items() if field in required}
    return required | (dict(ARGUMENTS[name](lake)) if name in ARGUMENTS else {})


def call(lake: Lake, name: str, **more: Any) -> dict[str, Any]:
    """Calls an operation once, with whatever has to come before it. Raises: ClientError."""
    if name in BEFORE:
        call(lake, BEFORE[name])
    methods = {operation: method for method, operation in lake.client.meta.method_to_api_mapping.items()}
    answer: dict[str, Any] = getattr(lake.client, methods[name])(**arguments_of(name, lake), **more)
    return answer


def _value(shape: Any) -> Any:
    """A value that the model takes for this shape."""
    match shape.type_name:
        case "structure":
            return {name: _value(shape.members[name]) for name in shape.required_members}
        case "list":
            return [_value(shape.member)]
        case "map":
            return {}
        case "integer" | "long":
            return 1
        case "boolean":
            return True
        case "timestamp":
            return "2036-01-01T00:00:00Z"
        case "blob":
            return b"x"
        case _:
            return shape.enum[0] if shape.enum else "x"


def bucket_for(text: str) -> str:
    """A bucket's name for a test, by its parameters."""
    return f"b-{hashlib.sha256(text.encode()).hexdigest()[:20]}"
