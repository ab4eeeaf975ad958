"""What does a bucket cost? Each of its storage classes by storage, requests and retrieval.

Source: aws.amazon.com/s3/pricing. Classes are those that a lifecycle rule or the stated usage names, and standard.
"""

from collections.abc import Iterator

from weyr.ledger.terraform.bucket_minimums import INDEXED, LEAST_DAYS, early_delete, padding
from weyr.ledger.terraform.desk import MILLION, THOUSAND, Desk, Pricer
from weyr.ledger.terraform.lines import Line, Part
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

PUT, GET = "PUT, COPY, POST, LIST requests", "GET, SELECT, and all other requests"
REQUESTS, GB, OBJECTS = "1k requests", "GB", "1k objects"

Item = tuple[str, str, str, str]
"""Name of the line, unit, key in the usage, rate within the class."""

_REQUESTS: tuple[Item, ...] = (
    (PUT, REQUESTS, "monthly_tier_1_requests", "put"),
    (GET, REQUESTS, "monthly_tier_2_requests", "get"),
)
_MOVED: Item = ("Lifecycle transition", REQUESTS, "monthly_lifecycle_transition_requests", "transition")
_SELECT: tuple[Item, ...] = (
    ("Select data scanned", GB, "monthly_select_data_scanned_gb", "select.scanned"),
    ("Select data returned", GB, "monthly_select_data_returned_gb", "select.returned"),
)
_STORAGE: Item = ("Storage", GB, "storage_gb", "storage")
_INFREQUENT: tuple[Item, ...] = (
    _STORAGE, *_REQUESTS, _MOVED, ("Retrievals", GB, "monthly_data_retrieval_gb", "retrieval"), *_SELECT,
)  # fmt: skip


def _retrieval(how: str, requests_key: str = "", gb_key: str = "") -> tuple[Item, ...]:
    return (
        (f"Retrieval requests ({how})", REQUESTS, requests_key or f"monthly_{how}_data_retrieval_requests",
         f"retrieval.requests.{how}"),
        (f"Retrievals ({how})", GB, gb_key or f"monthly_{how}_data_retrieval_gb", f"retrieval.{how}"),
    )  # fmt: skip


def _select(how: str) -> tuple[Item, ...]:
    return (
        (f"Select data scanned ({how})", GB, f"monthly_{how}_select_data_scanned_gb", f"select.scanned.{how}"),
        (f"Select data returned ({how})", GB, f"monthly_{how}_select_data_returned_gb", f"select.returned.{how}"),
    )


CLASSES: dict[str, tuple[str, tuple[Item, ...]]] = {
    "standard": ("Standard", (_STORAGE, *_REQUESTS, *_SELECT)),
    "intelligent_tiering": (
        "Intelligent tiering",
        (
            ("Storage (frequent access)", GB, "frequent_access_storage_gb", "storage.frequent"),
            ("Storage (infrequent access)", GB, "infrequent_access_storage_gb", "storage.infrequent"),
            ("Storage (archive access)", GB, "archive_access_storage_gb", "storage.archive"),
            ("Storage (deep archive access)", GB, "deep_archive_access_storage_gb", "storage.deep_archive"),
            ("Monitoring and automation", OBJECTS, "monitored_objects", "monitoring"),
            *_REQUESTS,
            _MOVED,
            *_SELECT,
            ("Early delete (within 30 days)", GB, "early_delete_gb", "early_delete"),
        ),
    ),
    "standard_infrequent_access": ("Standard - infrequent access", _INFREQUENT),
    "one_zone_infrequent_access": ("One zone - infrequent access", _INFREQUENT),
    "glacier_instant_retrieval": ("Glacier instant retrieval", (*_INFREQUENT[:5],)),
    "glacier_flexible_retrieval": (
        "Glacier flexible retrieval",
        (
            _STORAGE, *_REQUESTS, _MOVED, *_retrieval("standard"), *_select("standard"), *_retrieval("expedited"),
            *_select("expedited"), *_select("bulk"),
        ),
    ),
    "glacier_deep_archive": (
        "Glacier deep archive",
        (
            _STORAGE, *_REQUESTS, _MOVED, *_retrieval("standard"), *_retrieval("bulk"),
        ),
    ),
}  # fmt: skip
BY_NAME = {
    "STANDARD": "standard",
    "INTELLIGENT_TIERING": "intelligent_tiering",
    "STANDARD_IA": "standard_infrequent_access",
    "ONEZONE_IA": "one_zone_infrequent_access",
    "GLACIER_IR": "glacier_instant_retrieval",
    "GLACIER": "glacier_flexible_retrieval",
    "DEEP_ARCHIVE": "glacier_deep_archive",
}
"""As lifecycle rules name them."""


def bucket(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    rules = _rules(desk, resource)
    used = {"standard", *(name for rule in rules for name in _classes_of(rule))}
    parts = [
        _storage_class(desk, resource, usage.within(name), name, rules)
        for name in CLASSES
        if name in used or usage.has(name)
    ]
    lines: tuple[Line, ...] = ()
    if any(rule.has("tags") for rule in rules):
        tags = usage.number("object_tags")
        lines = (desk.line("Object tagging", "10k tags", tags, "s3/tags", resource.region, per=10_000, is_usage=True),)
    return Part(resource.address, lines, tuple(parts))


def _rules(desk: Desk, bucket: Resource) -> list[Resource]:
    """The enabled lifecycle rules: in the bucket itself, or in a resource beside it."""
    rules = [rule for rule in bucket.blocks("lifecycle_rule") if rule.flag("enabled")]
    for other in desk.resources:
        if other.type == "aws_s3_bucket_lifecycle_configuration" and (
            desk.resources.behind(other.values.get("bucket"), ("aws_s3_bucket",), ("bucket",)) is bucket
        ):
            rules += [rule for rule in other.blocks("rule") if rule.text("status", "Enabled") == "Enabled"]
    return rules


def _classes_of(rule: Resource) -> list[str]:
    moves = [*rule.blocks("transition"), *rule.blocks("noncurrent_version_transition")]
    return [BY_NAME[name] for move in moves if (name := move.text("storage_class")) in BY_NAME]


def _storage_class(desk: Desk, bucket: Resource, usage: Amounts, name: str, rules: list[Resource]) -> Part:
    title, items = CLASSES[name]
    lines = [
        desk.line(
            line, unit, usage.number(key), f"s3/{name}.{rate}", bucket.region,
            per=THOUSAND if unit in (REQUESTS, OBJECTS) else 1, is_usage=True,
        )
        for line, unit, key, rate in items
    ]  # fmt: skip
    if name in LEAST_DAYS:
        lines += _early_delete(desk, bucket, usage, name, rules)
        lines += [
            desk.line(line, GB, quantity, f"s3/{rate}", bucket.region, is_usage=True)
            for line, quantity, rate in padding(name, usage)
        ]
    return Part(title, tuple(lines))


def _early_delete(desk: Desk, bucket: Resource, usage: Amounts, name: str, rules: list[Resource]) -> Iterator[Line]:
    """What leaves the class too early is a line of its own; of the two coldest it stands there in any case."""
    quantity, said = early_delete(name, rules, usage, BY_NAME)
    title = f"Early delete (within {LEAST_DAYS[name]} days{f', {said}' if said else ''})"
    rate = "early_delete" if name in INDEXED else "storage"
    if name in INDEXED or quantity is not None:
        yield desk.line(title, GB, quantity, f"s3/{name}.{rate}", bucket.region, is_usage=True)


def _objects(name: str, key: str, rate: str) -> Pricer:
    def priced(desk: Desk, resource: Resource, usage: Amounts) -> Part:
        line = desk.line(name, "1M objects", usage.number(key), rate, resource.region, per=MILLION, is_usage=True)
        return Part(resource.address, (line,))

    return priced


PRICERS: dict[str, Pricer] = {
    "aws_s3_bucket": bucket,
    "aws_s3_bucket_inventory": _objects("Objects listed", "monthly_listed_objects", "s3/inventory"),
    "aws_s3_bucket_analytics_configuration": _objects("Objects monitored", "monthly_monitored_objects", "s3/analytics"),
}
