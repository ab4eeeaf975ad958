"""What is impossible or unwise among buckets, though each field is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal, shared_names
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.kinds.storage.bucket.decide import body_of
from weyr.kinds.storage.bucket.spec import BucketSpec, LifecycleRule

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
        for number, rule in enumerate(spec.lifecycle):
            yield from _of_rule(ref, number, rule)
        expires = any(rule.expire_after is not None for rule in spec.lifecycle)
        if spec.versioning and expires and not any(rule.noncurrent_expire_after for rule in spec.lifecycle):
            detail = f"{ref} keeps versions, so that what expires becomes an old version, and costs as much as before."
            suggestion = "noncurrent_expire_after: 30d"
            yield Finding(ref, ("lifecycle",), Severity.WARN, "Expiry that frees nothing", detail, suggestion)


def _of_rule(ref: Ref, number: int, rule: LifecycleRule) -> Iterator[Finding]:
    others = rule.noncurrent_expire_after is not None or rule.abort_uploads_after is not None
    if rule.expire_after is None and not others:
        detail = f"A lifecycle rule of {ref} says of nothing when it ends."
        yield Finding(ref, ("lifecycle", number), Severity.FATAL, "Rule that ends nothing", detail, "expire_after: 7d")
    if rule.tags and others:
        detail = f"Tags are of current objects, and a lifecycle rule of {ref} asks for them of versions or uploads."
        yield Finding(ref, ("lifecycle", number, "tags"), Severity.FATAL, "Tags of what has none", detail)


def _of_place(ref: Ref, spec: BucketSpec) -> Iterator[Finding]:
    """What a bucket that is elsewhere cannot have, and what it needs."""
    if spec.url is None:
        if spec.keys:
            yield _fatal(ref, "keys", "Keys without a place", f"{ref} has keys, and no url that they would open.")
        return
    if spec.versioning is not None:
        detail = f"{ref} has its objects at {_shown(spec.url)}, where it is set whether versions are kept."
        yield _fatal(ref, "versioning", "Versioning of a bucket that is elsewhere", detail)
    if spec.lifecycle:
        detail = f"{ref} has its objects at {_shown(spec.url)}, which ends them by rules of its own; set them there."
        yield _fatal(ref, "lifecycle", "Rules for a bucket that is elsewhere", detail)
    scheme, options = spec.url.partition(":")[0], _options(spec.url)
    unknown = sorted(options.keys() - OPTIONS)
    if unknown:
        detail = f"The url of {ref} has the options {', '.join(unknown)}; there are {', '.join(sorted(OPTIONS))}."
        yield _fatal(ref, "url", "Unknown options in a url", detail)
    if scheme == "az" and "account" not in options:
        yield _fatal(ref, "url", "A container without its account", f"{ref} needs ?account=NAME in its url.")
    who = options.get("credentials", "")
    choices = [frozenset()] if who in ("anonymous", "machine") else OPENED_BY[scheme]
    if frozenset(spec.keys) not in choices:
        wanted = " or ".join(" and ".join(sorted(choice)) for choice in choices) or "no keys"
        also = "" if scheme == "file" or who else "; or say ?credentials=anonymous in the url where it is public"
        detail = (
            f"{ref} ({_shown(spec.url)}) is opened by {wanted}, and has {', '.join(sorted(spec.keys)) or 'none'}{also}."
        )
        yield _fatal(ref, "keys", "A place that cannot be opened", detail)


def _fatal(ref: Ref, field: str, summary: str, detail: str) -> Finding:
    return Finding(ref, (field,), Severity.FATAL, summary, detail)


def _options(url: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in url.partition("?")[2].split("&") if pair)
    return {name: value for name, _, value in pairs}


def _shown(url: str) -> str:
    return url.partition("?")[0]
