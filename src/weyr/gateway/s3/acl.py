"""Who is granted what by an access control list? Its grants, canned names, headers and documents. Pure.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html (2026-11).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from weyr.gateway.s3.accounts import Account
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.xml import Node, element, escaped

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
GROUPS = (ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY)
GRANTS_MAX = 100
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


class Permission(StrEnum):
    READ = "READ"
    WRITE = "WRITE"
    READ_ACP = "READ_ACP"
    WRITE_ACP = "WRITE_ACP"
    FULL_CONTROL = "FULL_CONTROL"


@dataclass(frozen=True, slots=True)
class Grant:
    """`grantee` is an account's id or a group's URI."""

    grantee: str
    permission: Permission


Acl = tuple[Grant, ...]
Find = Callable[[str], Account | None]

HEADERS: Mapping[str, Permission] = {
    "x-amz-grant-read": Permission.READ,
    "x-amz-grant-write": Permission.WRITE,
    "x-amz-grant-read-acp": Permission.READ_ACP,
    "x-amz-grant-write-acp": Permission.WRITE_ACP,
    "x-amz-grant-full-control": Permission.FULL_CONTROL,
}
_CANNED: Mapping[str, tuple[tuple[str, Permission], ...]] = {
    "private": (),
    "public-read": ((ALL_USERS, Permission.READ),),
    "public-read-write": ((ALL_USERS, Permission.READ), (ALL_USERS, Permission.WRITE)),
    "authenticated-read": ((AUTHENTICATED_USERS, Permission.READ),),
    "log-delivery-write": ((LOG_DELIVERY, Permission.WRITE), (LOG_DELIVERY, Permission.READ_ACP)),
    "bucket-owner-read": (("", Permission.READ),),
    "bucket-owner-full-control": (("", Permission.FULL_CONTROL),),
}
"""What each canned ACL grants beside the owner's full control; "" is the bucket's owner."""


def private(owner: str) -> Acl:
    """What holds where nothing was said."""
    return (Grant(owner, Permission.FULL_CONTROL),)


def canned(name: str, owner: str, bucket_owner: str) -> Acl:
    """Raises: S3Error InvalidArgument for a name that S3 does not know."""
    if name not in _CANNED:
        raise S3Error("InvalidArgument", "", ArgumentName="x-amz-acl", ArgumentValue=name)
    more = tuple(Grant(grantee or bucket_owner, permission) for grantee, permission in _CANNED[name])
    return tuple(grant for grant in more if grant.grantee != owner) + private(owner)


def asked_in(headers: Mapping[str, str], owner: str, bucket_owner: str, find: Find) -> Acl | None:
    """The ACL that a request's headers ask for, None where they ask for none. Raises: S3Error."""
    given = [name for name in HEADERS if name in headers]
    if "x-amz-acl" in headers:
        if given:
            raise S3Error("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
        return canned(headers["x-amz-acl"], owner, bucket_owner)
    grants = [Grant(_named(one, find), HEADERS[name]) for name in given for one in headers[name].split(",")]
    return tuple(grants) if grants else None


def _named(text: str, find: Find) -> str:
    kind, _, value = text.strip().partition("=")
    value = value.strip().strip('"')
    match kind.strip().lower():
        case "uri":
            return _group(value)
        case "id":
            return _account(value, find)
        case "emailaddress":
            return _by_email(value, find)
        case _:
            raise S3Error("InvalidArgument", "Argument format not recognized", ArgumentValue=text)


def _group(uri: str) -> str:
    if uri not in GROUPS:
        raise S3Error("InvalidArgument", "Invalid group uri", ArgumentName="uri", ArgumentValue=uri)
    return uri


def _account(identity: str, find: Find) -> str:
    account = find(identity)
    if account is None:
        raise S3Error("InvalidArgument", "Invalid id", ArgumentName="CanonicalUser/ID", ArgumentValue=identity)
    return account.id


def _by_email(address: str, find: Find) -> str:
    account = find(address) if "@" in address else None
    if account is None:
        raise S3Error("UnresolvableGrantByEmailAddress", ArgumentValue=address)
    return account.id


def document_of(acl: Acl, owner: Account, name_of: Callable[[str], str]) -> bytes:
    """An AccessControlPolicy document."""
    grants = "".join(f"<Grant>{_grantee(g.grantee, name_of)}{element('Permission', g.permission)}</Grant>" for g in acl)
    inner = element("Owner", [("ID", owner.id), ("DisplayName", owner.name)])
    name = "AccessControlPolicy"
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{space}">{inner}'
    return f"{head}<AccessControlList>{grants}</AccessControlList></{name}>".encode()


def _grantee(grantee: str, name_of: Callable[[str], str]) -> str:
    if grantee in GROUPS:
        return f'<Grantee xmlns:xsi="{_XSI}" xsi:type="Group"><URI>{grantee}</URI></Grantee>'
    inner = f"<ID>{escaped(grantee)}</ID><DisplayName>{escaped(name_of(grantee))}</DisplayName>"
    return f'<Grantee xmlns:xsi="{_XSI}" xsi:type="CanonicalUser">{inner}</Grantee>'


def read(document: Node, owner: str, find: Find) -> Acl:
    """The grants of an AccessControlPolicy document; its owner cannot be another than `owner`. Raises: S3Error."""
    owners = document.all("Owner")
    if len(owners) != 1:
        raise S3Error("MalformedACLError")
    if owners[0].get("ID") not in (owner, None):
        raise S3Error("AccessDenied", "The owner of a resource cannot be changed.")
    lists = document.all("AccessControlList")
    if len(lists) != 1:
        raise S3Error("MalformedACLError")
    nodes = lists[0].all("Grant")
    if len(nodes) > GRANTS_MAX:
        raise S3Error("MalformedACLError", f"An access control list holds at most {GRANTS_MAX} grants.")
    # Groups first, as in canned ones.
    return tuple(sorted((_read_grant(node, find) for node in nodes), key=lambda grant: grant.grantee not in GROUPS))


def _read_grant(node: Node, find: Find) -> Grant:
    grantees = node.all("Grantee")
    try:
        permission = Permission(node.get("Permission") or "")
    except ValueError as e:
        raise S3Error("MalformedACLError") from e
    if len(grantees) != 1:
        raise S3Error("MalformedACLError")
    grantee = grantees[0]
    if (uri := grantee.get("URI")) is not None:
        return Grant(_group(uri), permission)
    if (address := grantee.get("EmailAddress")) is not None:
        return Grant(_by_email(address, find), permission)
    if (identity := grantee.get("ID")) is not None:
        return Grant(_account(identity, find), permission)
    raise S3Error("MalformedACLError")


def is_public(acl: Acl) -> bool:
    """Whether it grants anything to everybody, or to everybody with an account."""
    return any(grant.grantee in (ALL_USERS, AUTHENTICATED_USERS) for grant in acl)


def is_granted(acl: Acl, grantees: tuple[str, ...], permission: Permission) -> bool:
    """Whether one of these grantees has the permission."""
    return any(g.grantee in grantees and g.permission in (permission, Permission.FULL_CONTROL) for g in acl)


def text_of(acl: Acl) -> str:
    """An ACL as it is kept."""
    return json.dumps([[grant.grantee, grant.permission] for grant in acl], separators=(",", ":"))


@lru_cache(maxsize=4096)
def of_text(text: str) -> Acl:
    """An ACL that was kept."""
    return tuple(Grant(grantee, Permission(permission)) for grantee, permission in json.loads(text))
