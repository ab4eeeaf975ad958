"""What does a storage class ask for beside what lies in it? The rest of its least time, its least size of an object.

Source: "Understanding your AWS billing and usage reports for Amazon S3" and aws.amazon.com/s3/pricing, 2026:
Standard-IA and One Zone-IA are billed for 30 days and 128 KiB at least, Glacier Instant Retrieval for 90 days and
128 KiB, Flexible Retrieval for 90 days and Deep Archive for 180, each with 32 KiB of its own and 8 KiB of Standard for
every object.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

LEAST_DAYS = {
    "standard_infrequent_access": 30, "one_zone_infrequent_access": 30, "glacier_instant_retrieval": 90,
    "glacier_flexible_retrieval": 90, "glacier_deep_archive": 180,
}  # fmt: skip
INDEXED = frozenset(("glacier_flexible_retrieval", "glacier_deep_archive"))
KIB_OF_GB = Decimal(2**20)
LEAST_KIB, INDEX_KIB, NAME_KIB = 128, 32, 8

Beside = tuple[str, Decimal, str]
"""A line's name, GB and the rate within S3."""


def early_delete(
    name: str, rules: Sequence[Resource], usage: Amounts, classes: Mapping[str, str]
) -> tuple[Decimal | None, str]:
    """GB-months of the class that are billed after objects have left it, and by which days that was reckoned.

    As `early_delete_gb` states it, or from how long objects are kept there: as `kept_days` says, or else by the rule
    that moves them there and on. None where nobody says, and where they are kept for long enough.
    Takes: `classes`, the names in rules by those that Terraform writes.
    """
    stated, kept = usage.number("early_delete_gb"), usage.number("kept_days")
    if stated is not None:
        return stated, ""
    said = "as stated"
    if kept is None:
        kept, said = _days_in(name, rules, classes), "by its rule"
    stored, least = usage.number("storage_gb"), LEAST_DAYS[name]
    if kept is None or stored is None or not 0 < kept < least:
        return None, ""
    # What lies there on average was put there at so much a day; each of it is billed for the days that it lacks.
    return stored * (least - kept) / kept, f"kept {kept.normalize():f} days {said}"


def _days_in(name: str, rules: Sequence[Resource], classes: Mapping[str, str]) -> Decimal | None:
    """How long the rules leave an object in the class; None where none ends it, or two of them say it differently."""
    stays = {stay for rule in rules for stay in _stays(name, rule, classes)}
    return stays.pop() if len(stays) == 1 else None


def _stays(name: str, rule: Resource, classes: Mapping[str, str]) -> Iterator[Decimal | None]:
    moves = rule.blocks("transition")
    ends = [*(move.number("days") for move in moves), rule.block("expiration").number("days")]
    for move in moves:
        begins = move.number("days", 0)
        if classes.get(move.text("storage_class")) == name and begins is not None:
            later = [end for end in ends if end is not None and end > begins]
            yield min(later) - begins if later else None
    if any(classes.get(move.text("storage_class")) == name for move in rule.blocks("noncurrent_version_transition")):
        yield None  # how long a version is kept before that depends on who replaces it


def padding(name: str, usage: Amounts) -> Iterator[Beside]:
    """What is billed for how many objects there are, where `objects` says it: small ones count as larger."""
    objects, stored = usage.number("objects"), usage.number("storage_gb")
    if objects is None:
        return
    if name in INDEXED:
        yield "Index of objects (32 KiB each)", objects * INDEX_KIB / KIB_OF_GB, f"{name}.storage"
        yield "Names of objects (8 KiB each)", objects * NAME_KIB / KIB_OF_GB, "standard.storage"
    elif stored is not None and (more := objects * LEAST_KIB / KIB_OF_GB - stored) > 0:
        yield "Storage of small objects (up to 128 KiB each)", more, f"{name}.storage"
