"""The document of a bucket's access log: where the lines go, and under which keys."""

import json
from dataclasses import asdict, dataclass

from weyr.gateway.s3 import locks
from weyr.gateway.s3.admit import refused
from weyr.gateway.s3.api_settings import keep
from weyr.gateway.s3.call import Call, xml_response
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.folders.setting import FOLDER
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.records import Bucket, bucket_named
from weyr.gateway.s3.remote.reach import SETTING as ELSEWHERE
from weyr.gateway.s3.xml import Content, Node

SETTING = "logging"
ROOT = "BucketLoggingStatus"
PREFIX_BYTES_MAX = 512
_SOURCES = ("EventTime", "DeliveryTime")
_KNOWN = ("TargetBucket", "TargetPrefix", "TargetGrants", "TargetObjectKeyFormat")


@dataclass(frozen=True, slots=True)
class Logging:
    """Where a bucket's log goes. `partition` is EventTime or DeliveryTime where the keys are partitioned, else ""."""

    target: str
    prefix: str
    partition: str = ""
    is_simple_said: bool = False
    """Whether the document named the simple form, so that it is given back as it was."""

    def text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> "Logging":
        return cls(**json.loads(text))


async def get_logging(call: Call) -> Response:
    kept = call.there.settings.get(SETTING)
    if kept is None:
        return xml_response(ROOT)
    logging = Logging.of(kept)
    content: list[tuple[str, Content]] = [("TargetBucket", logging.target), ("TargetPrefix", logging.prefix)]
    if logging.partition:
        partitioned: Content = [("PartitionedPrefix", [("PartitionDateSource", logging.partition)])]
        content.append(("TargetObjectKeyFormat", partitioned))
    elif logging.is_simple_said:
        content.append(("TargetObjectKeyFormat", [("SimplePrefix", "")]))
    return xml_response(ROOT, ("LoggingEnabled", content))


async def put_logging(call: Call) -> Response:
    """Turns the log on or, with an empty document, off. Raises: S3Error."""
    document = await call.xml(ROOT)
    enabled = document.all("LoggingEnabled")
    if len(enabled) > 1 or any(child.name != "LoggingEnabled" for child in document):
        raise S3Error("MalformedXML")
    logging = _logging_of(enabled[0]) if enabled else None
    if logging is not None:
        _check_target(call, logging)
    await keep(call, SETTING, logging.text() if logging else None)
    return Response(200)


def _logging_of(node: Node) -> Logging:
    for child in node:
        if child.name not in _KNOWN:
            raise not_implemented(f"{child.name} of an access log")
    if any(list(grants) for grants in node.all("TargetGrants")):
        raise not_implemented("grants on access logs: give the target bucket a policy")
    prefix = node.get("TargetPrefix")
    if prefix is None:
        raise S3Error("MalformedXML")
    if len(prefix.encode()) > PREFIX_BYTES_MAX:
        raise S3Error("InvalidArgument", f"A prefix of logs has at most {PREFIX_BYTES_MAX} bytes.")
    formats = [form for each in node.all("TargetObjectKeyFormat") for form in each]
    if not formats:
        return Logging(node.need("TargetBucket"), prefix)
    if len(formats) > 1:
        raise S3Error("MalformedXML")
    match formats[0].name:
        case "SimplePrefix":
            return Logging(node.need("TargetBucket"), prefix, is_simple_said=True)
        case "PartitionedPrefix":
            source = formats[0].get("PartitionDateSource") or _SOURCES[1]
            if source in _SOURCES:
                return Logging(node.need("TargetBucket"), prefix, source)
    raise S3Error("MalformedXML")


def is_here(bucket: Bucket) -> bool:
    """Whether the plane itself keeps the bucket's objects."""
    return FOLDER not in bucket.settings and ELSEWHERE not in bucket.settings


def _check_target(call: Call, logging: Logging) -> None:
    """The target is the same account's, and the caller may write what the log will. Raises: S3Error."""
    try:
        target = bucket_named(call.plane.index, logging.target)
    except S3Error as e:
        message = "The target bucket for logging does not exist"
        raise S3Error("InvalidTargetBucketForLogging", message, TargetBucket=logging.target) from e
    if not is_here(target):
        message = "The target bucket for logging must be one whose objects are here."
        raise S3Error("InvalidTargetBucketForLogging", message, TargetBucket=logging.target)
    accounts = call.plane.accounts
    if accounts.of(target.owner) != accounts.of(call.there.owner):
        message = "The owner for the bucket to be logged and the target bucket must be the same."
        raise S3Error("InvalidTargetBucketForLogging", message, TargetBucket=logging.target)
    if locks.SETTING in target.settings and target.settings[locks.SETTING] != locks.NEW_LOCK:
        message = "A target bucket for logging cannot have a default retention."
        raise S3Error("InvalidTargetBucketForLogging", message, TargetBucket=logging.target)
    reason = refused(call, "s3:PutObject", target, target.name, logging.prefix, "", None)
    if reason:
        call.refuse("s3:PutObject", f"{target.name}/{logging.prefix}", reason)
