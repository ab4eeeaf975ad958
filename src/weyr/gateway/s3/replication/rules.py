"""Where does a bucket's replication configuration send an object? Read from S3's document, asked about single keys.

Pure. A destination is a target that the plane was started with, named by the last part of the ARN.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-add-config.html (2026-11).
"""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.lifecycle_rules import written
from weyr.gateway.s3.xml import Content, Node, element, parsed, raw_document

SETTING = "replication"
ROOT = "ReplicationConfiguration"
RULES_MAX = 1000
ID_MAX = 255
ARN = "arn:aws:s3:::"
_RULE = {
    "ID", "Priority", "Prefix", "Filter", "Status", "Destination", "DeleteMarkerReplication",
    "ExistingObjectReplication",
}  # fmt: skip
_DESTINATION = {"Bucket", "StorageClass"}


@dataclass(frozen=True, slots=True)
class ReplicationRule:
    """One rule. `target` is the destination's name."""

    id: str
    target: str
    priority: int
    is_enabled: bool
    prefix: str
    tags: frozenset[tuple[str, str]]
    sends_deletes: bool
    sends_existing: bool

    def matches(self, key: str, tags: Mapping[str, str]) -> bool:
        return self.is_enabled and key.startswith(self.prefix) and self.tags <= tags.items()


def checked_text(document: Node, targets: Collection[str]) -> str:
    """The document as it is kept, with an ID for each rule. Raises: S3Error where a rule would not be kept to."""
    nodes = document.all("Rule")
    if not 0 < len(nodes) <= RULES_MAX or any(child.name not in ("Role", "Rule") for child in document):
        raise S3Error("MalformedXML")
    rules = [_rule(node) for node in nodes]
    ids = [rule.id for rule in rules if rule.id]
    if len(set(ids)) != len(ids):
        raise S3Error("InvalidArgument", "Rule Id must be unique.")
    ranks = [(rule.target, rule.priority) for rule in rules]
    if len(nodes) > 1 and len(set(ranks)) != len(ranks):
        raise S3Error("InvalidRequest", "Found duplicate priority of rules for one destination. Each must be unique.")
    for rule in rules:
        if rule.target not in targets:
            message = f"Destination bucket must exist: the server was not started with a replica {rule.target!r}."
            raise S3Error("InvalidRequest", message)
    role = document.get("Role")
    inner = ("" if role is None else element("Role", role)) + "".join(_with_id(node) for node in nodes)
    return raw_document(ROOT, inner).decode()


def simple_document(target: str, prefix: str, sends_deletes: bool) -> bytes:
    """The document of one rule that sends everything with a prefix, also what is there already."""
    rule: list[tuple[str, Content]] = [
        ("ID", target),
        ("Priority", 1),
        ("Filter", [("Prefix", prefix)]),
        ("Status", "Enabled"),
        ("DeleteMarkerReplication", [("Status", "Enabled" if sends_deletes else "Disabled")]),
        ("ExistingObjectReplication", [("Status", "Enabled")]),
        ("Destination", [("Bucket", ARN + target)]),
    ]
    return raw_document(ROOT, element("Rule", rule))


@lru_cache(maxsize=256)
def rules_in(text: str) -> tuple[ReplicationRule, ...]:
    """The rules of a document that was checked when it was put, those of the highest priority first."""
    rules = [_rule(node) for node in parsed(text.encode(), ROOT).all("Rule")]
    return tuple(sorted(rules, key=lambda rule: -rule.priority))


def rules_of(settings: Mapping[str, str]) -> tuple[ReplicationRule, ...]:
    """The rules of a bucket with these settings."""
    text = settings.get(SETTING)
    return rules_in(text) if text else ()


def targets_of(rules: tuple[ReplicationRule, ...], key: str, tags: Mapping[str, str]) -> list[str]:
    """Where an object with this key and these tags goes, each target once."""
    return list(dict.fromkeys(rule.target for rule in rules if rule.matches(key, tags)))


def targets_of_deleted(rules: tuple[ReplicationRule, ...], key: str) -> list[str]:
    """Where the end of a key is to be carried out. For each target the first rule about the key decides."""
    deciding: dict[str, ReplicationRule] = {}
    for rule in rules:
        if rule.is_enabled and key.startswith(rule.prefix) and not rule.tags:
            deciding.setdefault(rule.target, rule)
    return [target for target, rule in deciding.items() if rule.sends_deletes]


def _with_id(node: Node) -> str:
    given = "".join(written(child) for child in node if child.name != "ID")
    return f"<Rule>{element('ID', node.get('ID') or secrets.token_hex(12))}{given}</Rule>"


def _rule(node: Node) -> ReplicationRule:
    """Raises: S3Error."""
    names = [child.name for child in node]
    for name in names:
        if name not in _RULE:
            raise not_implemented(f"{name} of a replication rule")
    if len(set(names)) != len(names) or ("Filter" in names and "Prefix" in names):
        raise S3Error("MalformedXML")
    rule_id = node.get("ID") or ""
    if len(rule_id) > ID_MAX:
        raise S3Error("InvalidArgument", f"The maximum length of a rule's ID is {ID_MAX}.")
    prefix, tags = _filter(node)
    sends_deletes = _is_on(node, "DeleteMarkerReplication")
    if sends_deletes and tags:
        message = "Delete marker replication is not supported if any Tag filter is specified."
        raise S3Error("InvalidRequest", message)
    return ReplicationRule(
        rule_id,
        _target(node),
        _priority(node),
        _status(node) == "Enabled",
        prefix,
        tags,
        sends_deletes,
        _is_on(node, "ExistingObjectReplication"),
    )


def _status(node: Node) -> str:
    status = node.get("Status")
    if status not in ("Enabled", "Disabled"):
        raise S3Error("MalformedXML")
    return status


def _is_on(node: Node, name: str) -> bool:
    found = node.all(name)
    return bool(found) and _status(found[0]) == "Enabled"


def _priority(node: Node) -> int:
    text = (node.get("Priority") or "0").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise S3Error("MalformedXML")
    return int(text)


def _target(node: Node) -> str:
    destinations = node.all("Destination")
    if len(destinations) != 1:
        raise S3Error("MalformedXML")
    for child in destinations[0]:
        if child.name not in _DESTINATION:
            raise not_implemented(f"{child.name} of a replication's destination")
    if destinations[0].get("StorageClass") not in (None, "STANDARD"):
        raise not_implemented("storage classes other than STANDARD")
    arn = destinations[0].need("Bucket").strip()
    if not arn.startswith(ARN) or not arn.removeprefix(ARN):
        raise S3Error("InvalidArgument", f"Invalid bucket ARN: it must be {ARN} and the name of a replica.")
    return arn.removeprefix(ARN)


def _filter(node: Node) -> tuple[str, frozenset[tuple[str, str]]]:
    filters = node.all("Filter")
    if not filters:
        return node.get("Prefix") or "", frozenset()
    prefix, tags = "", []
    parts = list(filters[0])
    if len(parts) > 1:
        raise S3Error("MalformedXML")
    for part in list(parts[0]) if parts and parts[0].name == "And" else parts:
        match part.name:
            case "Prefix":
                prefix = part.text
            case "Tag":
                tags.append((part.need("Key"), part.need("Value")))
            case _:
                raise S3Error("MalformedXML")
    if len(dict(tags)) != len(tags):
        raise S3Error("InvalidRequest", "Duplicate Tag Keys are not allowed.")
    return prefix, frozenset(tags)
