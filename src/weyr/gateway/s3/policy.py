"""What does a bucket policy say of a request? Its JSON read into statements, and each held against the request.

Pure: the request comes as a context of condition keys. What the plane could not enforce is refused when the policy is
put, never ignored when it is asked.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html (2026-11).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.policy_conditions import Condition, Context, conditions_of, is_like, matches

POLICY_BYTES_MAX = 20 * 1024
_VERSIONS = ("2012-10-17", "2008-10-17")
_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_ARN = "arn:aws:s3:::"


class Word(Enum):
    """What a policy says of a request."""

    NOTHING = "nothing"
    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Statement:
    is_allow: bool
    principals: tuple[str, ...]
    """Who is meant: `*`, names, canonical ids and ARNs as they were written."""
    is_principal_negated: bool
    actions: tuple[str, ...]
    is_action_negated: bool
    resources: tuple[str, ...]
    """Patterns of `bucket` or `bucket/key`."""
    is_resource_negated: bool
    conditions: tuple[Condition, ...]

    @property
    def is_public(self) -> bool:
        """Whether it lets in people nobody named. A condition on where they come from names them."""
        return self.is_allow and "*" in self.principals and not any(c.names_somebody for c in self.conditions)


@dataclass(frozen=True, slots=True)
class Policy:
    statements: tuple[Statement, ...]

    @property
    def is_public(self) -> bool:
        return any(statement.is_public for statement in self.statements)

    def asks(self, key: str) -> bool:
        """Whether a condition looks at a key that begins so."""
        return any(c.key.startswith(key) for s in self.statements for c in s.conditions)

    def word(self, who: tuple[str, ...], action: str, resource: str, context: Context) -> Word:
        """Takes `who`, every name the caller goes by, none for an anonymous one. A single deny outweighs all else."""
        answer = Word.NOTHING
        for statement in self.statements:
            if not _is_meant(statement, who, action, resource, context):
                continue
            if not statement.is_allow:
                return Word.DENY
            answer = Word.ALLOW
        return answer


def names_of(account: str, user: str, is_root: bool) -> tuple[str, ...]:
    """The names by which a policy may call a user of an account; only its root goes by the account's own."""
    names = {user, f"arn:aws:iam:::user/{user}", f"arn:aws:iam::{account}:user/{user}"}
    tenant, dollar, plain = user.partition("$")
    if dollar:
        names.add(f"arn:aws:iam::{tenant}:user/{plain}")
    if is_root:
        names |= {account, f"arn:aws:iam::{account}:root"}
    return tuple(sorted(names))


@lru_cache(maxsize=1024)
def policy_of(text: str) -> Policy:
    """A policy that was checked when it was put."""
    return Policy(tuple(_statement(entry) for entry in _listed(json.loads(text)["Statement"])))


def checked_policy(text: str, bucket: str) -> Policy:
    """A policy that is to be put on `bucket`. Raises: S3Error MalformedPolicy, which says what is wrong."""
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise _malformed(f"Policies must not be longer than {POLICY_BYTES_MAX} bytes.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise _malformed("This policy contains invalid Json") from e
    if not isinstance(document, dict) or document.keys() - {"Version", "Id", "Statement"}:
        raise _malformed("A policy has Version, Id and Statement, and nothing else")
    if document.get("Version", _VERSIONS[1]) not in _VERSIONS:
        raise _malformed("The policy must contain a valid version string")
    entries = _listed(document.get("Statement"))
    if not entries:
        raise _malformed("Missing required field Statement")
    statements = tuple(_statement(entry) for entry in entries)
    for statement in statements:
        for resource in statement.resources:
            if not is_like(bucket, resource.partition("/")[0]):
                raise _malformed("Policy has invalid resource")
    return Policy(statements)


def _statement(entry: Any) -> Statement:
    if not isinstance(entry, dict) or entry.keys() - _ELEMENTS:
        raise _malformed("Policy has an unknown element in a statement")
    if entry.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Invalid effect : Effect must be Allow or Deny")
    is_allow = entry["Effect"] == "Allow"
    if "NotPrincipal" in entry and is_allow:
        raise _malformed("Allow with NotPrincipal is not allowed")
    for name in ("Principal", "Action", "Resource"):
        if (name in entry) == (f"Not{name}" in entry):
            raise _malformed(f"Missing required field {name}")
    actions = _texts(entry.get("Action", entry.get("NotAction")), "action")
    if not all(action == "*" or re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z0-9*?]+", action) for action in actions):
        raise _malformed("Policy has invalid action")
    resources = _texts(entry.get("Resource", entry.get("NotResource")), "resource")
    if not all(resource == "*" or resource.startswith(_ARN) for resource in resources):
        raise _malformed("Policy has invalid resource")
    return Statement(
        is_allow=is_allow,
        principals=_principals(entry.get("Principal", entry.get("NotPrincipal"))),
        is_principal_negated="NotPrincipal" in entry,
        actions=tuple(action.lower() for action in actions),
        is_action_negated="NotAction" in entry,
        resources=tuple(resource.removeprefix(_ARN) for resource in resources),
        is_resource_negated="NotResource" in entry,
        conditions=conditions_of(entry.get("Condition", {})),
    )


def _principals(entry: Any) -> tuple[str, ...]:
    if entry == "*":
        return ("*",)
    if not isinstance(entry, dict) or not entry or entry.keys() - {"AWS", "CanonicalUser"}:
        raise _malformed("Invalid principal in policy")
    return tuple(text for value in entry.values() for text in _texts(value, "principal"))


def _texts(value: Any, what: str) -> tuple[str, ...]:
    texts = _listed(value)
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise _malformed(f"Policy has invalid {what}")
    return tuple(texts)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_meant(statement: Statement, who: tuple[str, ...], action: str, resource: str, context: Context) -> bool:
    is_named = "*" in statement.principals or any(name in statement.principals for name in who)
    if is_named == statement.is_principal_negated:
        return False
    lower = action.lower()
    if any(is_like(lower, a) for a in statement.actions) == statement.is_action_negated:
        return False
    is_covered = any(is_like(resource, _filled(pattern, context)) for pattern in statement.resources)
    if is_covered == statement.is_resource_negated:
        return False
    return all(matches(condition, context) for condition in statement.conditions)


def _filled(pattern: str, context: Mapping[str, tuple[str, ...]]) -> str:
    """A pattern with its `${aws:username}` and the like filled in; one without a value stays and matches nothing."""
    if "${" not in pattern:
        return pattern
    return re.sub(r"\$\{([^}]+)\}", lambda m: (context.get(m[1].lower()) or (m[0],))[0], pattern)


def _malformed(message: str) -> S3Error:
    return S3Error("MalformedPolicy", message)
