"""Who is told of what happens in a bucket? Its NotificationConfiguration read, and events written into the index.

An event is a row in the same commit as the change that it tells of, so that neither is there without the other;
`weyr.gateway.s3.teller` sends it on. Targets are the webhooks that the plane was started with, by name.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html (2026-11).
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote_plus

from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.records import Bucket
from weyr.gateway.s3.xml import Node, element, parsed, raw_document, timestamp

SETTING = "notification"
ROOT = "NotificationConfiguration"
EVENTS = (
    "ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload",
    "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "LifecycleExpiration:Delete",
    "LifecycleExpiration:DeleteMarkerCreated",
)  # fmt: skip
TRIGGERS = "triggers"
"""The setting with the entries of Weyr's own functions, as JSON. Clients can neither see nor change it."""
FUNCTIONS = "weyr-functions"
"""The webhook that tells functions; the id of an entry names the function."""
_TARGETS = {"TopicConfiguration": "Topic", "QueueConfiguration": "Queue"}
WAITING_MAX = 100_000
"""Events that a plane keeps for webhooks that do not answer; then the oldest go."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Whom one entry tells, and of what."""

    id: str
    target: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    def is_about(self, event: str, key: str) -> bool:
        return key.startswith(self.prefix) and key.endswith(self.suffix) and event in self.events


def checked_text(node: Node, webhooks: Collection[str]) -> str | None:
    """The document as it is kept, None for an empty one. Raises: S3Error where it names what will not be told."""
    for child in node:
        if child.name not in _TARGETS:
            raise not_implemented(f"{child.name} of a bucket's notifications")
        notice = _notice(child)
        if notice.target not in webhooks or notice.target == FUNCTIONS:
            message = f"Unable to validate the destination: the server was not started with a webhook {notice.target!r}"
            raise S3Error("InvalidArgument", message)
    return raw_document(ROOT, "".join(_written(child) for child in node)).decode() if list(node) else None


def _written(node: Node) -> str:
    children = list(node)
    return (
        f"<{node.name}>{''.join(map(_written, children))}</{node.name}>" if children else element(node.name, node.text)
    )


@lru_cache(maxsize=256)
def notices_of(text: str) -> tuple[Notice, ...]:
    """The entries of a document that was checked when it was put."""
    return tuple(_notice(child) for child in parsed(text.encode(), ROOT))


@lru_cache(maxsize=256)
def triggers_of(text: str) -> tuple[Notice, ...]:
    """The entries of functions. Raises: ValueError, KeyError, TypeError, S3Error for what is none."""
    return tuple(
        Notice(
            str(entry["function"]),
            FUNCTIONS,
            tuple(name for event in entry["events"] for name in _named(str(event))),
            str(entry["prefix"]),
            str(entry["suffix"]),
        )
        for entry in json.loads(text)
    )


def _notice(node: Node) -> Notice:
    """Raises: S3Error."""
    # An ARN's last part is the webhook's name; before it stands what S3 needs to find a topic.
    target = node.need(_TARGETS[node.name]).rpartition(":")[2]
    events = tuple(name for wanted in node.all("Event") for name in _named(wanted.text.removeprefix("s3:")))
    if not events:
        raise S3Error("MalformedXML")
    fixes = {"prefix": "", "suffix": ""}
    for rule in (rule for f in node.all("Filter") for key in f.all("S3Key") for rule in key.all("FilterRule")):
        name = rule.need("Name").lower()
        if name not in fixes or fixes[name]:
            raise S3Error("InvalidArgument", "filter rule name must be either prefix or suffix, each once")
        fixes[name] = rule.need("Value")
    return Notice(node.get("Id") or "", target, events, fixes["prefix"], fixes["suffix"])


def _named(event: str) -> list[str]:
    found = [name for name in EVENTS if name == event or (event.endswith(":*") and name.startswith(event[:-1]))]
    if not found:
        raise S3Error("InvalidArgument", f"The event s3:{event} is not one that weyr tells of.")
    return found


def tell(
    transaction: Transaction, bucket: Bucket, event: str, key: str, size: int, etag: str, version: str, at_ms: int
) -> None:
    """Writes down an event for each entry of the bucket that is about it."""
    text, triggers = bucket.settings.get(SETTING), bucket.settings.get(TRIGGERS)
    if text is None and triggers is None:
        return
    for notice in (*(notices_of(text) if text else ()), *(triggers_of(triggers) if triggers else ())):
        if notice.is_about(event, key):
            told = {
                "key": quote_plus(key),
                "size": size,
                "eTag": etag,
                "versionId": version,
                "sequencer": f"{at_ms:016X}",
            }
            record = {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventTime": timestamp(at_ms),
                "eventName": event,
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": notice.id,
                    "bucket": {"name": bucket.name, "arn": f"arn:aws:s3:::{bucket.name}"},
                    "object": {name: value for name, value in told.items() if value not in ("", "null")},
                },
            }
            body = json.dumps({"Records": [record]}, separators=(",", ":"))
            transaction.run("INSERT INTO events (target, body) VALUES (?, ?)", notice.target, body)
