"""What is impossible or unwise among buckets, though each field is right?"""

import re
from collections.abc import Collection, Iterator, Mapping

from weyr.core.checking import Finding, Proposal, shared_names
from weyr.core.decision import Scalar
from weyr.core.diagnostic import Severity, did_you_mean
from weyr.core.ref import Ref
from weyr.kinds.storage.bucket.decide import TIER_OUTPUT, body_of, place_of
from weyr.kinds.storage.bucket.spec import BucketSpec, LifecycleRule

Path = tuple[str | int, ...]

TIER = re.compile(r"[a-z][a-z0-9_]{0,40}")
RESTORED = frozenset({"glacier", "deep_archive"})
"""Classes whose objects AWS's tools do not read before they are restored."""
OPTIONS = {"endpoint", "region", "account", "credentials"}
OPENED_BY: dict[str, list[frozenset[str]]] = {
    "s3": [
        frozenset({"access_key_id", "secret_access_key"}),
        frozenset({"access_key_id", "secret_access_key", "session_token"}),
    ],
    "gs": [frozenset({"service_account"})],
    "az": [frozenset({"account_key"}), frozenset({"sas_token"})],
    "file": [frozenset()],
}
"""What opens a place of each kind, as the S3 plane has it: one of these sets, whole."""


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Buckets that would be one and the same at the S3 door, and rules that would not do what they say."""
    buckets = {ref: spec for ref, spec in proposal.specs.items() if isinstance(spec, BucketSpec)}
    yield from shared_names({ref: body_of(ref, spec).name for ref, spec in buckets.items()})
    for ref, spec in buckets.items():
        yield from _of_place(ref, spec)
        yield from _of_tiers(ref, spec, proposal.outputs.get(ref, {}))
        for number, rule in enumerate(spec.lifecycle):
            yield from _of_rule(ref, spec, number, rule)
        expires = any(rule.expire_after is not None for rule in spec.lifecycle)
        if spec.versioning and expires and not any(rule.noncurrent_expire_after for rule in spec.lifecycle):
            detail = f"{ref} keeps versions, so that what expires becomes an old version, and costs as much as before."
            suggestion = "noncurrent_expire_after: 30d"
            yield Finding(ref, ("lifecycle",), Severity.WARN, "Expiry that frees nothing", detail, suggestion)


def _of_rule(ref: Ref, spec: BucketSpec, number: int, rule: LifecycleRule) -> Iterator[Finding]:
    moves = rule.move_after is not None or rule.noncurrent_move_after is not None
    others = rule.noncurrent_expire_after is not None or rule.abort_uploads_after is not None
    if rule.expire_after is None and not others and not moves:
        detail = f"A lifecycle rule of {ref} says of nothing when it ends, or moves."
        yield Finding(ref, ("lifecycle", number), Severity.FATAL, "Rule that ends nothing", detail, "expire_after: 7d")
    if rule.tags and (others or rule.noncurrent_move_after is not None):
        detail = f"Tags are of current objects, and a lifecycle rule of {ref} asks for them of versions or uploads."
        yield Finding(ref, ("lifecycle", number, "tags"), Severity.FATAL, "Tags of what has none", detail)
    if moves and rule.to is None:
        detail = f"A lifecycle rule of {ref} says when objects move, and not to which tier."
        suggestion = f"to: {next(iter(sorted(spec.tiers)), 'standard_ia')}"
        yield Finding(ref, ("lifecycle", number), Severity.FATAL, "Move to nowhere", detail, suggestion)
    if rule.to is not None:
        yield from _of_move(ref, spec, number, rule, rule.to)


def _of_move(ref: Ref, spec: BucketSpec, number: int, rule: LifecycleRule, to: str) -> Iterator[Finding]:
    path = ("lifecycle", number, "to")
    if rule.move_after is None and rule.noncurrent_move_after is None:
        detail = f"A lifecycle rule of {ref} names the tier {to}, and nothing in it says when objects move there."
        yield Finding(ref, path, Severity.FATAL, "Tier without a move", detail, "move_after: 30d")
    if to not in spec.tiers:
        there = f"it has {', '.join(sorted(spec.tiers))}" if spec.tiers else "it has none"
        detail = f"A lifecycle rule of {ref} moves objects to the tier {to}; {there}.{did_you_mean(to, spec.tiers)}"
        suggestion = f"tiers: {{{to}: {{at: /mnt/slow}}}}"
        yield Finding(ref, path, Severity.FATAL, "Move to a tier that is not there", detail, suggestion)
    if rule.move_after is not None and rule.expire_after is not None and rule.move_after >= rule.expire_after:
        detail = f"A lifecycle rule of {ref} deletes objects before it would move them to {to}."
        yield Finding(ref, path, Severity.WARN, "Move after the end", detail)


def _of_tiers(ref: Ref, spec: BucketSpec, outputs: Mapping[str, Scalar]) -> Iterator[Finding]:
    """Tiers that clients could not name, that cannot be opened, or that go while they hold something."""
    for name, tier in spec.tiers.items():
        path = ("tiers", name)
        if not TIER.fullmatch(name) or name == "standard":
            detail = (
                f"S3 clients would write the tier {name!r} of {ref} as the storage class {name.upper()!r}, and "
                + ("that is what needs no tier." if name.lower() == "standard" else "cannot: small letters, digits, _.")
            )
            yield Finding(ref, path, Severity.FATAL, "Tier that S3 clients cannot name", detail, "standard_ia")
        yield from _of_url(ref, (*path, "at"), (*path, "keys"), place_of(tier.at), tier.keys)
        if name in RESTORED:
            detail = (
                f"AWS's own tools take {name.upper()} for an archive: aws s3 cp passes its objects over until they are "
                f"restored, though {ref} gives them at once. The class glacier_ir has no such meaning."
            )
            yield Finding(ref, path, Severity.WARN, "Tier that tools take for an archive", detail)
    for output, url in outputs.items():
        name = output.removeprefix(TIER_OUTPUT)
        if output == name or (name in spec.tiers and place_of(spec.tiers[name].at) == url):
            continue
        what = "is to be at another place" if name in spec.tiers else "is to go"
        detail = (
            f"The tier {name} of {ref} {what}, and still holds objects at {_shown(str(url))}. Copy them onto "
            "themselves as STANDARD first, or delete them."
        )
        bucket = outputs.get("name", ref.name)
        suggestion = f"aws s3 cp --recursive --storage-class STANDARD s3://{bucket}/ s3://{bucket}/"
        yield Finding(ref, ("tiers",), Severity.FATAL, "Tier that still holds objects", detail, suggestion)


def _of_place(ref: Ref, spec: BucketSpec) -> Iterator[Finding]:
    """What a bucket that is elsewhere cannot have, and what it needs."""
    if spec.url is None:
        if spec.keys:
            detail = f"{ref} has keys, and no url that they would open."
            yield _fatal(ref, ("keys",), "Keys without a place", detail)
        return
    there = f"{ref} has its objects at {_shown(spec.url)}"
    if spec.versioning is not None:
        detail = f"{there}, where it is set whether versions are kept."
        yield _fatal(ref, ("versioning",), "Versioning of a bucket that is elsewhere", detail)
    if spec.lifecycle:
        detail = f"{there}, which ends them by rules of its own; set them there."
        yield _fatal(ref, ("lifecycle",), "Rules for a bucket that is elsewhere", detail)
    if spec.tiers:
        detail = f"{there}, which has storage classes of its own; set them there."
        yield _fatal(ref, ("tiers",), "Tiers of a bucket that is elsewhere", detail)
    yield from _of_url(ref, ("url",), ("keys",), spec.url, spec.keys)


def _of_url(ref: Ref, at: Path, keys_at: Path, url: str, keys: Collection[str]) -> Iterator[Finding]:
    """What is wrong with a place elsewhere, which `at` names and `keys` would open."""
    scheme, options = url.partition(":")[0], _options(url)
    unknown = sorted(options.keys() - OPTIONS)
    if unknown:
        detail = f"The url of {ref} has the options {', '.join(unknown)}; there are {', '.join(sorted(OPTIONS))}."
        yield _fatal(ref, at, "Unknown options in a url", detail)
    if scheme == "az" and "account" not in options:
        yield _fatal(ref, at, "A container without its account", f"{ref} needs ?account=NAME in its url.")
    who = options.get("credentials", "")
    choices = [frozenset()] if who in ("anonymous", "machine") else OPENED_BY[scheme]
    if frozenset(keys) not in choices:
        wanted = " or ".join(" and ".join(sorted(choice)) for choice in choices) or "no keys"
        also = "" if scheme == "file" or who else "; or say ?credentials=anonymous in the url where it is public"
        detail = f"{ref} ({_shown(url)}) is opened by {wanted}, and has {', '.join(sorted(keys)) or 'none'}{also}."
        yield _fatal(ref, keys_at, "A place that cannot be opened", detail)


def _fatal(ref: Ref, path: Path, summary: str, detail: str) -> Finding:
    return Finding(ref, path, Severity.FATAL, summary, detail)


def _options(url: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in url.partition("?")[2].split("&") if pair)
    return {name: value for name, _, value in pairs}


def _shown(url: str) -> str:
    return url.partition("?")[0]
