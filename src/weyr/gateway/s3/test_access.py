"""Who may do what in whose bucket: the one rule, case by case."""

import json
from dataclasses import replace

import pytest

from weyr.gateway.s3.access import Asked, Block, Ground, Ownership, Rules, refusal_of
from weyr.gateway.s3.acl import Acl, Grant, Permission, canned
from weyr.gateway.s3.policy import policy_of


def asked(account: str, action: str, key: str = "", grants: tuple[str, ...] = ("*",)) -> Asked:
    return Asked(account, account, grants if account else (), action, "lake", key)


def says(effect: str, action: str, principal: object = "*") -> Rules:
    resources = ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"]
    statement = {"Effect": effect, "Principal": principal, "Action": action, "Resource": resources}
    return Rules(policy=policy_of(json.dumps({"Statement": [statement]})))


def has(acl: str) -> Rules:
    return Rules(acl=canned(acl, "ann", "ann"))


def object_of(owner: str, acl: str = "private", rules: Rules | None = None) -> Ground:
    return Ground("ann", rules or Rules(), owner, canned(acl, owner, "ann"))


ANNS = Ground("ann", Rules())
EVES_ACL: Acl = (Grant("eve", Permission.READ),)
CASES: dict[str, tuple[Asked, Ground, bool]] = {
    "the owner may": (asked("ann", "s3:PutBucketPolicy"), ANNS, True),
    "another may not": (asked("bob", "s3:ListBucket"), ANNS, False),
    "nobody may not": (asked("", "s3:GetObject", "a"), object_of("ann"), False),
    "a policy lets another in": (asked("bob", "s3:ListBucket"), Ground("ann", says("Allow", "s3:ListBucket")), True),
    "and nobody too": (asked("", "s3:ListBucket"), Ground("ann", says("Allow", "s3:*")), True),
    "a policy keeps the owner out": (asked("ann", "s3:ListBucket"), Ground("ann", says("Deny", "s3:*")), False),
    "but not from its policy": (asked("ann", "s3:PutBucketPolicy"), Ground("ann", says("Deny", "s3:*")), True),
    "a public list": (asked("", "s3:ListBucket"), Ground("ann", has("public-read")), True),
    "a list for who has an account": (asked("bob", "s3:ListBucket"), Ground("ann", has("authenticated-read")), True),
    "and not for nobody": (asked("", "s3:ListBucket"), Ground("ann", has("authenticated-read")), False),
    "a list is not a write": (asked("bob", "s3:PutObject", "a"), Ground("ann", has("public-read")), False),
    "a write": (asked("bob", "s3:PutObject", "a"), Ground("ann", has("public-read-write")), True),
    "a write is not the ACL": (asked("bob", "s3:PutBucketAcl"), Ground("ann", has("public-read-write")), False),
    "a deny outweighs an ACL": (
        asked("bob", "s3:ListBucket"), Ground("ann", replace(says("Deny", "s3:ListBucket"), acl=EVES_ACL)), False,
    ),
    "a public object in a private bucket": (asked("", "s3:GetObject", "a"), object_of("ann", "public-read"), True),
    "its ACL is not public": (asked("", "s3:GetObjectAcl", "a"), object_of("ann", "public-read"), False),
    "ACLs that are ignored": (
        asked("", "s3:GetObject", "a"),
        object_of("ann", "public-read", Rules(block=Block(ignores_acls=True))), False,
    ),
    "ACLs that are off": (
        asked("", "s3:GetObject", "a"),
        object_of("ann", "public-read", Rules(ownership=Ownership.BUCKET_OWNER_ENFORCED)), False,
    ),
    "public policies that are restricted": (
        asked("bob", "s3:GetObject", "a"),
        object_of("ann", rules=replace(says("Allow", "s3:GetObject"), block=Block(restricts=True))), False,
    ),
    "and a policy that names him": (
        asked("bob", "s3:GetObject", "a"),
        object_of("ann", rules=replace(says("Allow", "s3:GetObject", {"AWS": "bob"}), block=Block(restricts=True))),
        True,
    ),
    "what another put is his": (asked("bob", "s3:GetObject", "a"), object_of("bob"), True),
    "and not the bucket owner's": (asked("ann", "s3:GetObject", "a"), object_of("bob"), False),
    "who may remove it": (asked("ann", "s3:DeleteObject", "a"), object_of("bob"), True),
    "unless he handed it over": (
        asked("ann", "s3:GetObject", "a"), object_of("bob", "bucket-owner-full-control"), True,
    ),
    "or the bucket's owner owns all": (
        asked("ann", "s3:GetObject", "a"),
        object_of("bob", rules=Rules(ownership=Ownership.BUCKET_OWNER_ENFORCED)), True,
    ),
    "a task within its grants": (asked("ann", "s3:GetObject", "a", ("s3:read:lake/*",)), object_of("ann"), True),
    "a task beyond its grants": (asked("ann", "s3:PutObject", "a", ("s3:read:lake/*",)), object_of("ann"), False),
    "its account's ACL does not speak for a task": (
        asked("ann", "s3:PutObjectAcl", "a", ("s3:write:lake/*",)), object_of("ann"), False,
    ),
    "a task that a policy names": (
        asked("ann", "s3:GetObject", "a", ()), object_of("ann", rules=says("Allow", "s3:Get*", {"AWS": "ann"})), True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_who_may_do_what(name: str) -> None:
    """Private is what nobody opened; one deny is final; one yes is enough."""
    question, ground, may = CASES[name]
    assert (refusal_of(question, ground, {}) == "") is may
