"""What do a bucket's lifecycle rules say? Read from S3's document or the stack file, and asked about single objects.

Pure. A rule's days end at midnight UTC, as S3's do; days that were made shorter, to see one end, have no midnight.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html (2026-11).
"""

import secrets
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.records import Bucket
from weyr.gateway.s3.xml import Node, element, parsed, raw_document

SETTING = "lifecycle"
DAY_MS = 86_400_000
RULES_MAX = 1000
ID_MAX = 255
NEWER_MAX = 100
_TRANSITIONS = ("Transition", "NoncurrentVersionTransition")
_ACTIONS = ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload", *_TRANSITIONS)
_KNOWN = {"ID", "Status", "Prefix", "Filter", *_ACTIONS}
MOVED_MIN_BYTES = 128 * 1024
"""Smaller objects are not moved to a tier, as S3 has it, unless the rule's filter speaks of sizes."""


@dataclass(frozen=True, slots=True)
class Transition:
    """Where a rule moves versions that are old enough. Of current ones days or a date, of others `newer_kept`."""

    tier: str
    days: int | None = None
    at_ms: int | None = None
    newer_kept: int = 0
    after_s: float | None = None
    """As the stack file has it: to the second, without midnights."""

    def cutoff_ms(self, now_ms: int, day_s: float) -> int | None:
        """Versions from before this are due; None where none is (yet)."""
        if self.after_s is not None:
            return now_ms - int(self.after_s * 1000)
        if self.at_ms is not None:
            return now_ms + 1 if now_ms >= self.at_ms else None
        assert self.days is not None
        return cutoff_ms(self.days, now_ms, day_s)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which objects a rule is about. All of it must hold."""

    prefix: str = ""
    tags: frozenset[tuple[str, str]] = frozenset()
    size_above: int | None = None
    size_below: int | None = None

    @property
    def is_of_keys(self) -> bool:
        """Whether the key alone decides."""
        return not self.tags and self.size_above is None and self.size_below is None

    def matches(self, key: str, size: int, tags: Mapping[str, str]) -> bool:
        return (
            key.startswith(self.prefix)
            and (self.size_above is None or size > self.size_above)
            and (self.size_below is None or size < self.size_below)
            and self.tags <= tags.items()
        )


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """One rule; None for what it does not do."""

    id: str
    filter: Filter
    is_enabled: bool = True
    expire_days: int | None = None
    expire_at_ms: int | None = None
    expire_after_s: float | None = None
    """As the stack file has it: to the second, without midnights. So are the two below."""
    noncurrent_after_s: float | None = None
    abort_after_s: float | None = None
    expires_markers: bool = False
    noncurrent_days: int | None = None
    newer_kept: int = 0
    """How many versions behind the current one stay, however old they are."""
    abort_days: int | None = None
    transitions: tuple[Transition, ...] = ()
    noncurrent_transitions: tuple[Transition, ...] = ()

    def moves(self, key: str, size: int, tags: Mapping[str, str]) -> bool:
        """Whether an object is one that the rule moves, if it is old enough."""
        is_of_any_size = self.filter.size_above is None and self.filter.size_below is None
        return self.filter.matches(key, size, tags) and (size >= MOVED_MIN_BYTES or not is_of_any_size)

    def noncurrent_cutoff_ms(self, now_ms: int, day_s: float) -> int | None:
        """Versions that were replaced before this are past their time; None where the rule ends none."""
        return _cutoff_ms(self.noncurrent_after_s, self.noncurrent_days, now_ms, day_s)

    def abort_cutoff_ms(self, now_ms: int, day_s: float) -> int | None:
        """Uploads that were begun before this are given up; None where the rule ends none."""
        return _cutoff_ms(self.abort_after_s, self.abort_days, now_ms, day_s)

    def expiry_cutoff_ms(self, now_ms: int, day_s: float) -> int | None:
        """Current versions written before this are past their time; None where the rule expires none (yet)."""
        if self.expire_after_s is not None:
            return now_ms - int(self.expire_after_s * 1000)
        if self.expire_at_ms is not None:
            return now_ms + 1 if now_ms >= self.expire_at_ms else None
        return None if self.expire_days is None else cutoff_ms(self.expire_days, now_ms, day_s)


def cutoff_ms(days: int, now_ms: int, day_s: float) -> int:
    """What began before this has its `days` behind it. Whole days end at the midnight after."""
    day_ms = int(day_s * 1000)
    return (now_ms - now_ms % DAY_MS if day_ms == DAY_MS else now_ms) - days * day_ms + 1


def _cutoff_ms(after_s: float | None, days: int | None, now_ms: int, day_s: float) -> int | None:
    if after_s is not None:
        return now_ms - int(after_s * 1000)
    return None if days is None else cutoff_ms(days, now_ms, day_s)


def rules_of(bucket: Bucket) -> tuple[LifecycleRule, ...]:
    """Every rule that is enabled for a bucket: those of its document, and those of the stack file."""
    text = bucket.settings.get(SETTING)
    own = tuple(rule for rule in kept_rules(text) if rule.is_enabled) if text else ()
    stack = (
        LifecycleRule(
            "",
            Filter(r.prefix, frozenset(r.tags)),
            expire_after_s=r.expire_after_s,
            noncurrent_after_s=r.noncurrent_after_s,
            abort_after_s=r.abort_after_s,
            transitions=_moves(r.to, r.move_after_s),
            noncurrent_transitions=_moves(r.to, r.noncurrent_move_after_s),
        )
        for r in bucket.lifecycle
    )
    return (*own, *stack) if bucket.lifecycle else own


def _moves(to: str, after_s: float | None) -> tuple[Transition, ...]:
    return () if after_s is None else (Transition(to, after_s=after_s),)


@lru_cache(maxsize=256)
def kept_rules(text: str) -> tuple[LifecycleRule, ...]:
    """The rules of a document that was checked when it was put."""
    return tuple(_rule(node) for node in parsed(text.encode(), "LifecycleConfiguration").all("Rule"))


def expiry_header(bucket: Bucket, key: str, size: int, tags: Mapping[str, str], modified_ms: int) -> str:
    """The `x-amz-expiration` of a current version, "" where no rule ends it.

    It counts days of the calendar, also where `--lifecycle-day` lets them pass faster.
    """
    if SETTING not in bucket.settings:
        return ""
    ends: list[tuple[int, str]] = []
    for rule in rules_of(bucket):
        if rule.filter.matches(key, size, tags):
            if rule.expire_days is not None:
                at_ms = modified_ms + rule.expire_days * DAY_MS
                ends.append((at_ms + -at_ms % DAY_MS, rule.id))
            elif rule.expire_at_ms is not None:
                ends.append((rule.expire_at_ms, rule.id))
    if not ends:
        return ""
    at_ms, rule_id = min(ends)
    return f'expiry-date="{_http_date(at_ms)}", rule-id="{rule_id}"'.encode().decode("latin-1")


def abort_of(bucket: Bucket, key: str, begun_ms: int) -> tuple[str, str] | None:
    """When an upload that is not finished will be aborted, and the id of the rule that does it; None where none does.

    It counts days as `expiry_header` does.
    """
    if SETTING not in bucket.settings:
        return None
    ends = [
        (begun_ms + rule.abort_days * DAY_MS, rule.id)
        for rule in rules_of(bucket)
        if rule.abort_days is not None and key.startswith(rule.filter.prefix)
    ]
    if not ends:
        return None
    at_ms, rule_id = min(ends)
    return _http_date(at_ms + -at_ms % DAY_MS), rule_id.encode().decode("latin-1")


def _http_date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def checked_text(document: Node, tiers: Container[str] = ()) -> str:
    """The document as it is kept, with an ID for each rule. Raises: S3Error where a rule is none that is kept to.

    Takes: `tiers`, the storage classes that objects can be moved to.
    """
    nodes = document.all("Rule")
    if not 0 < len(nodes) <= RULES_MAX or any(child.name != "Rule" for child in document):
        raise S3Error("MalformedXML")
    for node in nodes:
        _refuse_unknown_tiers(node, tiers)
    ids = [rule.id for rule in map(_rule, nodes) if rule.id]
    if len(set(ids)) != len(ids):
        raise S3Error("InvalidArgument", "Rule ID must be unique. Found same ID for one or more rules")
    return raw_document(document.name, "".join(_with_id(node) for node in nodes)).decode()


def _with_id(node: Node) -> str:
    # Spaces in a prefix count, so the text of a leaf is kept as it came.
    given = "".join(written(child) for child in node if child.name != "ID")
    return f"<Rule>{element('ID', node.get('ID') or secrets.token_hex(12))}{given}</Rule>"


def written(node: Node) -> str:
    """An element as it came, the spaces of a leaf among it."""
    children = list(node)
    if not children:
        return element(node.name, node.text)
    return f"<{node.name}>{''.join(written(child) for child in children)}</{node.name}>"


def _rule(node: Node) -> LifecycleRule:
    """Raises: S3Error."""
    names = [child.name for child in node]
    twice = len(set(names) - set(_TRANSITIONS)) != len([name for name in names if name not in _TRANSITIONS])
    if twice or not set(names) <= _KNOWN or ("Filter" in names) == ("Prefix" in names):
        raise S3Error("MalformedXML")
    rule_id, status = node.get("ID") or "", node.get("Status")
    if len(rule_id) > ID_MAX:
        raise S3Error("InvalidArgument", f"ID length should not exceed allowed limit of {ID_MAX}")
    if status not in ("Enabled", "Disabled"):
        raise S3Error("MalformedXML")
    if not set(names) & set(_ACTIONS):
        raise S3Error("InvalidRequest", "At least one action needs to be specified in a rule")
    filters = node.all("Filter")
    chosen = _filter(filters[0]) if filters else Filter(node.need("Prefix"))
    fields: dict[str, int | bool | tuple[Transition, ...] | None] = {}
    for action in node:
        match action.name:
            case "Expiration":
                fields |= _expiration(action, chosen)
            case "NoncurrentVersionExpiration":
                newer = _whole(action, "NewerNoncurrentVersions", NEWER_MAX) or 0
                fields |= {"noncurrent_days": _whole_needed(action, "NoncurrentDays"), "newer_kept": newer}
            case "AbortIncompleteMultipartUpload":
                _only_keys(chosen, "AbortIncompleteMultipartUpload")
                fields["abort_days"] = _whole_needed(action, "DaysAfterInitiation")
    fields["transitions"] = tuple(_transition(action) for action in node.all("Transition"))
    fields["noncurrent_transitions"] = tuple(
        _noncurrent_transition(action) for action in node.all("NoncurrentVersionTransition")
    )
    return LifecycleRule(rule_id, chosen, status == "Enabled", **fields)  # type: ignore[arg-type]  # by name above


def _refuse_unknown_tiers(node: Node, tiers: Container[str]) -> None:
    """Objects can only be moved to where there is a place for them."""
    for transition in (*node.all("Transition"), *node.all("NoncurrentVersionTransition")):
        if (date := transition.get("Date")) is not None:
            _midnight_ms(date)
        name = transition.get("StorageClass") or ""
        if name not in tiers:
            raise S3Error("InvalidStorageClass", f"There is no tier {name!r} here that objects could be moved to.")


def _transition(action: Node) -> Transition:
    names = sorted(child.name for child in action)
    if names not in (["Days", "StorageClass"], ["Date", "StorageClass"]):
        raise S3Error("MalformedXML")
    if (date := action.get("Date")) is not None:
        return Transition(action.need("StorageClass"), at_ms=_midnight_ms(date))
    return Transition(action.need("StorageClass"), _whole(action, "Days", 2**31 - 1, lowest=0))


def _noncurrent_transition(action: Node) -> Transition:
    days = _whole_needed(action, "NoncurrentDays")
    newer = _whole(action, "NewerNoncurrentVersions", NEWER_MAX) or 0
    return Transition(action.need("StorageClass"), days, newer_kept=newer)


def _filter(node: Node) -> Filter:
    """Conditions beside one another count together, as inside of an And."""
    prefixes: list[str] = []
    tags: list[tuple[str, str]] = []
    above: list[int] = []
    below: list[int] = []
    for part in [*(child for child in node if child.name != "And"), *(c for a in node.all("And") for c in a)]:
        match part.name:
            case "Prefix":
                prefixes.append(part.text)
            case "Tag":
                tags.append((part.need("Key"), part.need("Value")))
            case "Tags":  # what some SDKs write for the list inside of an And
                tags += [(tag.need("Key"), tag.need("Value")) for tag in part.all("Tag")]
            case "ObjectSizeGreaterThan":
                above.append(_size(part.text))
            case "ObjectSizeLessThan":
                below.append(_size(part.text))
            case _:
                raise S3Error("MalformedXML")
    prefix = max(prefixes, key=len, default="")
    if not all(prefix.startswith(other) for other in prefixes) or len(dict(tags)) != len(set(tags)):
        raise S3Error("InvalidRequest", "No object can match all of the filter.")
    size_above, size_below = max(above, default=None), min(below, default=None)
    if size_above is not None and size_below is not None and size_above >= size_below - 1:
        raise S3Error("InvalidRequest", "No object's size can match the filter.")
    return Filter(prefix, frozenset(tags), size_above, size_below)


def _expiration(action: Node, chosen: Filter) -> dict[str, int | bool | tuple[Transition, ...] | None]:
    if len(list(action)) != 1:
        raise S3Error("MalformedXML")
    days, date, marker = (action.get(name) for name in ("Days", "Date", "ExpiredObjectDeleteMarker"))
    if days is not None:
        return {"expire_days": _whole_needed(action, "Days")}
    if date is not None:
        return {"expire_at_ms": _midnight_ms(date)}
    if marker not in ("true", "false"):
        raise S3Error("MalformedXML")
    if marker == "true":
        _only_keys(chosen, "ExpiredObjectDeleteMarker")
    return {"expires_markers": marker == "true"}


def _only_keys(chosen: Filter, action: str) -> None:
    if not chosen.is_of_keys:
        raise S3Error("InvalidRequest", f"{action} cannot be specified with tags or sizes.")


def _whole_needed(node: Node, name: str) -> int:
    found = _whole(node, name, 2**31 - 1)
    if found is None:
        raise S3Error("MalformedXML", f"<{name}> is missing in <{node.name}>")
    return found


def _whole(node: Node, name: str, highest: int, lowest: int = 1) -> int | None:
    text = node.get(name)
    if text is None:
        return None
    text = text.strip()
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not lowest <= int(text) <= highest:
        raise S3Error("InvalidArgument", f"'{name}' for {node.name} action must be a positive integer")
    return int(text)


def _size(text: str) -> int:
    text = text.strip()
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise S3Error("InvalidArgument", "An object's size in a filter must be a whole number")
    return int(text)


def _midnight_ms(text: str) -> int:
    try:
        date = datetime.fromisoformat(text.strip())
    except ValueError as e:
        raise S3Error("MalformedXML") from e
    at_ms = int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000)
    if at_ms % DAY_MS:
        raise S3Error("InvalidArgument", "'Date' must be at midnight GMT")
    return at_ms
