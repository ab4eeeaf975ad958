"""May this caller do this? The one rule of the S3 door, over values: grants, bucket policy, ACLs, public-access block.

A deny in the bucket's policy outweighs everything. Then one yes is enough: of the caller's own account (its grants,
where it is the owner's), of the policy, of an ACL. Pure: `weyr.gateway.s3.admit` gathers what is asked about.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html (2026-11).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from weyr.core.grants import ADMIN, is_allowed
from weyr.gateway.s3 import acl as acls
from weyr.gateway.s3.acl import ALL_USERS, AUTHENTICATED_USERS, Acl, Permission
from weyr.gateway.s3.policy import Policy, Word, names_of, policy_of
from weyr.gateway.s3.policy_conditions import Context

READS = {
    "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:GetObjectAcl",
    "s3:GetObjectVersionAcl", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes", "s3:GetObjectRetention",
    "s3:GetObjectLegalHold",
}  # fmt: skip
WRITES = {
    "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectTagging", "s3:PutObjectVersionTagging",
    "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts", "s3:ReplicateObject", "s3:ReplicateDelete",
}  # fmt: skip
LISTS = {
    "s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
}  # fmt: skip
OF_THE_BUCKET_POLICY = {"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"}
BY_BUCKET_ACL: Mapping[str, Permission] = {
    "s3:ListBucket": Permission.READ,
    "s3:ListBucketVersions": Permission.READ,
    "s3:ListBucketMultipartUploads": Permission.READ,
    "s3:PutObject": Permission.WRITE,
    "s3:DeleteObject": Permission.WRITE,
    "s3:AbortMultipartUpload": Permission.WRITE,
    "s3:ListMultipartUploadParts": Permission.WRITE,
    "s3:GetBucketAcl": Permission.READ_ACP,
    "s3:PutBucketAcl": Permission.WRITE_ACP,
}
BY_OBJECT_ACL: Mapping[str, Permission] = {
    "s3:GetObject": Permission.READ,
    "s3:GetObjectVersion": Permission.READ,
    "s3:GetObjectAttributes": Permission.READ,
    "s3:GetObjectVersionAttributes": Permission.READ,
    "s3:GetObjectAcl": Permission.READ_ACP,
    "s3:GetObjectVersionAcl": Permission.READ_ACP,
    "s3:PutObjectAcl": Permission.WRITE_ACP,
    "s3:PutObjectVersionAcl": Permission.WRITE_ACP,
}
OF_THE_OBJECT_OWNER = {*BY_OBJECT_ACL, *READS, "s3:PutObjectTagging", "s3:DeleteObjectTagging"}
"""What belongs to whoever owns the object, and not to the bucket's owner where that is somebody else."""


class Ownership(StrEnum):
    """Who owns what others put into a bucket, and whether ACLs count in it."""

    OBJECT_WRITER = "ObjectWriter"
    BUCKET_OWNER_PREFERRED = "BucketOwnerPreferred"
    BUCKET_OWNER_ENFORCED = "BucketOwnerEnforced"


@dataclass(frozen=True, slots=True)
class Block:
    """A bucket's public-access block."""

    blocks_acls: bool = False
    ignores_acls: bool = False
    blocks_policy: bool = False
    restricts: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What a bucket's settings say of access. Without any: private, and each owns what it puts."""

    policy: Policy | None = None
    acl: Acl | None = None
    ownership: Ownership = Ownership.OBJECT_WRITER
    block: Block = field(default_factory=Block)

    @property
    def uses_acls(self) -> bool:
        return self.ownership is not Ownership.BUCKET_OWNER_ENFORCED


NO_RULES = Rules()


def rules_of(settings: Mapping[str, str]) -> Rules:
    """The access rules among a bucket's settings."""
    if not settings:
        return NO_RULES
    return _rules(*(settings.get(name, "") for name in ("policy", "acl", "ownershipControls", "publicAccessBlock")))


@lru_cache(maxsize=1024)
def _rules(policy: str, acl: str, ownership: str, block: str) -> Rules:
    return Rules(
        policy_of(policy) if policy else None,
        acls.of_text(acl) if acl else None,
        Ownership(ownership) if ownership else Ownership.OBJECT_WRITER,
        Block(*json.loads(block)) if block else Block(),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """Who wants to do what. `account` is "" for an anonymous caller."""

    account: str
    user: str
    grants: tuple[str, ...]
    action: str
    bucket: str
    key: str = ""
    prefix: str = ""

    @property
    def is_root(self) -> bool:
        return ADMIN in self.grants

    @property
    def resource(self) -> str:
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    @property
    def names(self) -> tuple[str, ...]:
        return names_of(self.account, self.user, self.is_root) if self.account else ()

    @property
    def grantees(self) -> tuple[str, ...]:
        """The caller as ACLs name it. An account's own entry speaks for its root only."""
        if not self.account:
            return (ALL_USERS,)
        own = (self.account,) if self.is_root else ()
        return (ALL_USERS, AUTHENTICATED_USERS, *own)


@dataclass(frozen=True, slots=True)
class Ground:
    """On whose ground it would be done: the bucket's owner and rules, and the object's if there is one."""

    owner: str
    rules: Rules
    object_owner: str = ""
    object_acl: Acl | None = None


def refusal_of(asked: Asked, ground: Ground, context: Context) -> str:
    """Why the caller may not, "" where it may."""
    policy = ground.rules.policy
    is_owner = bool(asked.account) and asked.account == ground.owner
    word = policy.word(asked.names, asked.action, asked.resource, context) if policy else Word.NOTHING
    # An owner who locked itself out must be able to take the lock off again.
    if word is Word.DENY and not (is_owner and asked.is_root and asked.action in OF_THE_BUCKET_POLICY):
        return "denied by the bucket's policy"
    if is_owner and _is_owners(asked, ground) and is_granted(asked):
        return ""
    if word is Word.ALLOW:
        assert policy is not None
        if is_owner or not (ground.rules.block.restricts and policy.is_public):
            return ""
    if ground.rules.uses_acls and _is_granted_by_acl(asked, ground):
        return ""
    return "not granted"


def is_granted(asked: Asked) -> bool:
    """Whether the caller's grants within its own account say so."""
    if asked.is_root:
        return True
    if asked.action in LISTS:
        names = (f"{asked.bucket}/", f"{asked.bucket}/{asked.prefix}")
        return any(is_allowed(asked.grants, "s3:list", name) for name in names)
    if asked.action in READS or asked.action in WRITES:
        verb = "s3:read" if asked.action in READS else "s3:write"
        return is_allowed(asked.grants, verb, f"{asked.bucket}/{asked.key}")
    return is_allowed(asked.grants, "s3:admin", asked.bucket)


def _is_owners(asked: Asked, ground: Ground) -> bool:
    """Whether it is the bucket owner's to do, and not that of another account that owns the object."""
    is_others = bool(ground.object_owner) and ground.object_owner != ground.owner and ground.rules.uses_acls
    return not (is_others and asked.action in OF_THE_OBJECT_OWNER)


def _is_granted_by_acl(asked: Asked, ground: Ground) -> bool:
    grantees = asked.grantees
    permission = BY_BUCKET_ACL.get(asked.action)
    if permission is not None:
        return _has(ground.rules.acl or acls.private(ground.owner), grantees, permission, ground.rules.block)
    if not ground.object_owner:
        return False
    if asked.is_root and asked.account == ground.object_owner and asked.action in OF_THE_OBJECT_OWNER:
        return True
    permission = BY_OBJECT_ACL.get(asked.action)
    acl = ground.object_acl if ground.object_acl is not None else acls.private(ground.object_owner)
    return permission is not None and _has(acl, grantees, permission, ground.rules.block)


def _has(acl: Acl, grantees: tuple[str, ...], permission: Permission, block: Block) -> bool:
    if block.ignores_acls:
        grantees = tuple(grantee for grantee in grantees if grantee not in (ALL_USERS, AUTHENTICATED_USERS))
    return acls.is_granted(acl, grantees, permission)
